import { setTimeout as sleep } from 'node:timers/promises'
import { ApplianceError } from '../lib/errors/error.ts'
import type { Guest } from '../lib/guest/guest.ts'
import { formatDuration } from '../lib/units/duration.ts'
import { within } from './deadline.ts'

/** The unit that runs the user's `first_boot:` scripts once (see chef-provision). */
export const FIRST_BOOT_UNIT = 'appliance-first-boot.service'

/** A guest that answers, but did not come up as it should; `journal` is what it said about that. */
export class NotStarted extends ApplianceError {
  readonly journal: string

  constructor(message: string, journal: string) {
    super('check-failed', message, { hint: 'Its journal, among the evidence, says why.' })
    this.name = 'NotStarted'
    this.journal = journal
  }
}

/**
 * Waits until the guest has finished booting, its first-boot scripts included: only then is it what a customer
 * uses, and worth a snapshot.
 *
 * @param patience milliseconds
 * @returns what a reader of the verdict should know (failed units)
 * @throws NotStarted
 */
export async function finishBooting(
  guest: Guest,
  signal: AbortSignal,
  patience = 600_000,
): Promise<string[]> {
  const end = performance.now() + patience
  const ask = (commandLine: string) => guest.run(commandLine, { allowFailure: true, signal, timeout: 60_000 })
  const answer = async (commandLine: string) => (await ask(commandLine)).stdout.trim()

  const asked = await ask('systemctl is-system-running')
  if (asked.status === 127 || asked.stdout.trim() === 'offline')
    return ['the guest has no systemd: it was taken as booted as soon as it answered']
  for (;;) {
    const remaining = Math.max(1000, end - performance.now())
    const state = await systemState(guest, signal, remaining)
    if (state === 'running' || state === 'degraded') break
    if (state === 'maintenance' || state === 'stopping')
      throw new NotStarted(
        `the guest did not boot but is in state "${state}"`,
        await answer(journalOf('-p warning')),
      )
    if (performance.now() >= end) {
      const jobs = await answer('systemctl list-jobs --no-pager --no-legend | head -5')
      throw new NotStarted(
        `the guest has not finished booting within ${formatDuration(patience)}; it waits for ${jobs.replace(/\s+/g, ' ') || 'nothing it names'}`,
        await answer(journalOf('-n 200')),
      )
    }
    await sleep(500, undefined, { signal })
  }
  await firstBootSucceeded(answer)
  const failed = await answer(
    'systemctl list-units --state=failed --plain --no-legend --no-pager | cut -d" " -f1',
  )
  return failed ? [`failed units after booting: ${failed.split(/\s+/).join(', ')}`] : []
}

/** `running`, `degraded`, `starting` …; empty when systemd does not answer yet. */
async function systemState(guest: Guest, signal: AbortSignal, limit: number): Promise<string> {
  try {
    const waited = await within(limit, signal, 'booting', (signal) =>
      guest.run('systemctl is-system-running --wait', { allowFailure: true, signal, timeout: limit }),
    )
    return waited.stdout.trim()
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'timeout') return 'starting'
    throw error
  }
}

async function firstBootSucceeded(answer: (commandLine: string) => Promise<string>): Promise<void> {
  const shown = await answer(`systemctl show ${FIRST_BOOT_UNIT} -p LoadState -p ActiveState -p Result`)
  const unit = Object.fromEntries(shown.split('\n').map((line) => line.split('=', 2) as [string, string]))
  if (unit.LoadState !== 'loaded') return
  if (unit.ActiveState !== 'failed' && (unit.Result ?? 'success') === 'success') return
  const journal = await answer(journalOf(`-u ${FIRST_BOOT_UNIT}`))
  const last =
    journal
      .split('\n')
      .filter((line) => !/systemd\[1\]/.test(line))
      .at(-1) ?? ''
  throw new NotStarted(`the first boot failed (${unit.Result ?? unit.ActiveState}): ${last}`, journal)
}

function journalOf(selection: string): string {
  return `journalctl -b --no-pager -o short-monotonic ${selection} | tail -n 400`
}
