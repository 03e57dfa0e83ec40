import { setTimeout as pause } from 'node:timers/promises'
import { formatDuration } from '../../lib/units/duration.ts'
import { NotStarted } from '../started.ts'
import type { Check, CheckContext, Found } from './check.ts'
import { failedUnits, wrongPorts } from './inside.ts'

/** Runs into which most writes fall. Milliseconds. */
const WRITING = 1_500

/** What must be so again after any start. */
async function clean(context: CheckContext): Promise<string[]> {
  const units = await failedUnits(context)
  const ports = await wrongPorts(context, 120_000)
  return [...units.faults, ...ports.faults]
}

async function reboot(context: CheckContext): Promise<Found> {
  const { course, signal } = context
  const began = performance.now()
  await course.test.reboot(signal)
  return { faults: await clean(context), finding: `within ${formatDuration(performance.now() - began)}` }
}

/** The plug is pulled while something writes, small files and a large one, some of it flushed and some not. */
async function powerCut(context: CheckContext): Promise<Found> {
  const { course, signal } = context
  const { test } = course
  if (!test.machine?.power) return { faults: [], finding: '', skipped: 'this driver cannot pull the plug' }
  const writer = `mkdir -p /var/tmp/power-cut; cd /var/tmp/power-cut
i=0; while :; do i=$((i+1)); echo "$i" >"file-$i"; dd if=/dev/zero of=large bs=64k count=16 seek=$((i*16)) conv=notrunc 2>/dev/null; [ $((i%7)) -ne 0 ] || sync "file-$i"; done`
  await test.guest.run(`setsid -f /bin/sh -c '${writer}' </dev/null >/dev/null 2>&1`, { signal })
  await pause(WRITING, undefined, { signal })
  const began = performance.now()
  await test.off('cut', signal)
  try {
    await test.on(signal)
  } catch (thrown) {
    if (!(thrown instanceof NotStarted)) throw thrown
    return { faults: [thrown.message], finding: '', output: thrown.journal }
  }
  const { stdout } = await test.guest.run(
    `grep -E '^[^ ]+ / ' /proc/mounts | tail -n 1 | grep -E '[ ,]ro[, ]' && echo 'the root file system is read-only'
journalctl -b -k --no-pager -q | grep -E 'EXT4-fs error|XFS.*(Corruption|error)|I/O error' | head -5
rm -rf /var/tmp/power-cut; true`,
    { signal, timeout: 120_000, allowFailure: true },
  )
  const broken = stdout.split('\n').filter((line) => line !== '' && !/^\S+ \/ /.test(line))
  return {
    faults: [...broken, ...(await clean(context))],
    finding: `it ran again within ${formatDuration(performance.now() - began)}`,
  }
}

/** Time from switching on to the end of booting. How long that may take depends on the computer: the spec says. */
async function firstAnswer({ course, spec }: CheckContext): Promise<Found> {
  const took = course.test.bootTime
  const most = spec.validate.budget.answer ?? Number.POSITIVE_INFINITY
  if (took === undefined) return { faults: [], finding: '', skipped: 'it was not measured' }
  const what = `booted, first boot and all, within ${formatDuration(took)}`
  return { faults: took <= most ? [] : [`${what}; the budget is ${formatDuration(most)}`], finding: what }
}

/** Checks that need the machine for themselves. */
export const disturbingChecks: readonly Check[] = [
  { name: 'first-answer', limit: 60_000, look: firstAnswer },
  { name: 'reboot', changes: true, limit: 20 * 60_000, look: reboot },
  { name: 'power-cut', changes: true, limit: 20 * 60_000, look: powerCut },
]
