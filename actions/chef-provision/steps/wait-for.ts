import { setTimeout as pause } from 'node:timers/promises'
import { ApplianceError } from '../../lib/errors/error.ts'
import { quote } from '../../lib/guest/quote.ts'
import { formatDuration } from '../../lib/units/duration.ts'
import type { Provisioning, Runner } from '../provisioning.ts'

const PATIENCE = 5 * 60_000

/** Waits for a port, file, unit or a text on the console. */
export const waitFor: Runner<'wait_for'> = async (step, provisioning) => {
  const { timeout = PATIENCE, sensitive = false } = step
  if (step.console !== undefined) await textOnConsole(step.console, { timeout, sensitive }, provisioning)
  else await inLoop(conditionOf(step), { ...step, timeout, sensitive }, provisioning)
  return undefined
}

interface Waiting {
  /** ms */
  timeout: number
  /** What there is instead is not told. */
  sensitive: boolean
}

interface Condition {
  /** For the guest's shell: true when it is as awaited. */
  holds: string
  /** What is said of it when it never is. */
  failing: string
  /** For the guest's shell: what there is instead. */
  instead: string
}

function conditionOf(step: { port?: number; file?: string; unit?: string }): Condition {
  if (step.port !== undefined) {
    // Needs no program: local address with the port in hexadecimal, any remote one, state listen (proc(5)).
    const hex = step.port.toString(16).toUpperCase().padStart(4, '0')
    return {
      holds: `grep -qsE '^ *[0-9]+: [0-9A-F]+:${hex} [0-9A-F]+:0000 0A ' /proc/net/tcp /proc/net/tcp6`,
      failing: `nobody listens at port ${step.port}`,
      instead: `echo "listened at:" $(awk '$4 == "0A" { split($2, a, ":"); print a[2] }' /proc/net/tcp /proc/net/tcp6 2>/dev/null | sort -u | while read -r p; do echo "$((0x$p))"; done)`,
    }
  }
  if (step.file !== undefined)
    return {
      holds: `test -e ${quote(step.file)}`,
      failing: `there is no ${step.file}`,
      instead: `ls -d "$(dirname ${quote(step.file)})"/* 2>&1 | tail -n 5`,
    }
  const unit = quote(step.unit!)
  return {
    holds: `systemctl is-active -q ${unit}`,
    failing: `unit ${step.unit} is not active`,
    instead: `echo $(systemctl show -p ActiveState,SubState,Result ${unit}); journalctl -q --no-pager -n 3 -o cat -u ${unit}`,
  }
}

async function inLoop(
  { holds, failing, instead }: Condition,
  { title, timeout, sensitive }: Waiting & { title: string },
  { guest, work }: Provisioning,
): Promise<void> {
  try {
    await guest.run(`until ${holds}; do sleep 0.5; done`, { title, timeout, signal: work.signal })
  } catch (error) {
    if (!(error instanceof ApplianceError && error.code === 'timeout')) throw error
    const { stdout } = sensitive
      ? { stdout: '' }
      : await guest.run(instead, { allowFailure: true, timeout: 60_000, signal: work.signal })
    const seen = stdout.trim().split('\n').filter(Boolean).join(' | ')
    throw new ApplianceError(
      'timeout',
      `${title}: ${failing} after ${formatDuration(timeout)}${seen ? `; ${seen}` : ''}`,
    )
  }
}

/** On the screen, or in what the serial console has said since the guest was started. */
async function textOnConsole(
  text: string,
  { timeout, sensitive }: Waiting,
  { machine, bootConsole, work }: Provisioning,
): Promise<void> {
  const deadline = performance.now() + timeout
  for (;;) {
    const screen = (await machine.console.text().catch(() => undefined))?.rows.join('\n') ?? ''
    const said = await bootConsole.text()
    if (screen.includes(text) || said.includes(text)) return
    if (performance.now() > deadline) {
      const lines = `${screen}\n${said}`
        .split('\n')
        .map((line) => line.trim())
        .filter(Boolean)
        .slice(-3)
      const ends = sensitive ? '' : `; it ends: ${lines.join(' | ')}`
      throw new ApplianceError(
        'timeout',
        `the console did not show ${JSON.stringify(text)} within ${formatDuration(timeout)}${ends}`,
        { evidence: machine.evidence },
      )
    }
    await pause(500, undefined, { signal: work.signal })
  }
}
