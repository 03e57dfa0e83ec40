import type { Console, KeyAction, TextScreen } from '../../lib/console/console.ts'
import { playKeys } from '../../lib/console/play.ts'
import { waitForText } from '../../lib/console/waiting.ts'
import { parseBootCommand } from '../../lib/definition/boot-command.ts'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { Guest } from '../../lib/guest/guest.ts'
import type { ConsoleLine } from '../../lib/spec/scenario.ts'
import type { Outcome, Surroundings } from './outcome.ts'

/** What a step types, as keys; `<Enter>` and its like by name, as definitions write them. */
export function keysOf(text: string): KeyAction[] {
  const { actions, faults } = parseBootCommand([text])
  if (faults[0]) throw new ApplianceError('input', faults[0].message)
  return actions.filter((action) => action.kind !== 'variable')
}

/**
 * The machine's console; where it shows graphics, as Linux does with a frame buffer, the guest's own kernel is asked
 * which characters are there.
 *
 * @see vcs(4): /dev/vcsa begins with lines, columns, and the cursor's x and y; then a character and its attribute each
 */
function readable(console: Console, guest: () => Guest, signal: AbortSignal): Console {
  const fromGuest = async (): Promise<TextScreen | undefined> => {
    const { stdout } = await guest().run('base64 -w 0 /dev/vcsa', {
      signal,
      timeout: 20_000,
      allowFailure: true,
    })
    const bytes = Buffer.from(stdout, 'base64')
    const [lines = 0, columns = 0, x = 0, y = 0] = bytes
    if (bytes.length < 4 + lines * columns * 2 || lines === 0) return undefined
    const cell = (row: number, column: number) => {
      const code = bytes[4 + 2 * (row * columns + column)]!
      return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : ' '
    }
    const rows = Array.from({ length: lines }, (_, row) =>
      Array.from({ length: columns }, (_, column) => cell(row, column)).join(''),
    )
    return { rows, cursor: { row: y, column: x } }
  }
  return {
    press: (chord) => console.press(chord),
    screenshot: (path) => console.screenshot(path),
    text: async () => (await console.text()) ?? (await fromGuest().catch(() => undefined)),
  }
}

/** Waits for text on the machine's screen, and types: a line after the other. */
export async function talkAtConsole(
  lines: readonly ConsoleLine[],
  { machine, guest, scratch, limit, log, signal }: Surroundings,
): Promise<Outcome> {
  const console = readable(machine.console, () => guest, signal)
  const watching = { log, signal, evidence: scratch }
  const deadline = performance.now() + limit
  for (const { expect, type } of lines) {
    if (expect !== undefined) {
      try {
        // Before the step's own time is over, so that it can be said what is on the screen instead.
        const seconds = Math.max(1, (deadline - performance.now()) / 1000 - 2)
        await waitForText(console, expect, seconds, watching)
      } catch (thrown) {
        signal.throwIfAborted()
        if (thrown instanceof ApplianceError && thrown.code === 'timeout')
          return { met: false, finding: thrown.message }
        throw thrown
      }
    }
    if (type !== undefined) await playKeys(console, keysOf(type), watching)
  }
  const last = lines.at(-1)!
  return {
    met: true,
    finding: last.type === undefined ? `the screen shows ${JSON.stringify(last.expect)}` : 'typed',
  }
}
