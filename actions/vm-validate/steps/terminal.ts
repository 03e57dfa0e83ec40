import type { Run } from '../../lib/spec/scenario.ts'
import type { StepSettings } from '../../lib/spec/step.ts'
import { mismatch, type Outcome, type Surroundings, shown, unlike } from './outcome.ts'

/** Characters that are kept of what a terminal prints: its end. */
const KEPT = 1 << 20

/**
 * Runs a command on a terminal and answers what it asks: each prompt is waited for in what was printed since the last
 * answer, then the answer and Enter are typed.
 */
export async function answerPrompts(
  { command, status = 0, stdout, as, env, sensitive }: Run & StepSettings,
  answers: readonly { expect: string; answer: string }[],
  { guest, signal }: Surroundings,
): Promise<Outcome> {
  await using terminal = await guest.terminal(command, {
    signal,
    ...(as === undefined ? {} : { as }),
    ...(env === undefined ? {} : { env }),
  })
  let printed = ''
  /** Where what was not yet answered begins. */
  let from = 0
  let news = () => {}
  let code: number | undefined
  terminal.onText((text) => {
    printed += text
    const dropped = Math.max(0, printed.length - 2 * KEPT)
    printed = printed.slice(dropped)
    from = Math.max(0, from - dropped)
    news()
  })
  const over = terminal.ended.then((status) => {
    code = status
    news()
  })
  const change = () =>
    new Promise<void>((resolve, reject) => {
      news = resolve
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  const outcome = (different: string | undefined): Outcome => ({
    met: different === undefined,
    finding: different ?? `exit status ${code}`,
    output: plainText(printed),
    value: plainText(printed).trimEnd(),
  })

  for (const { expect, answer } of answers) {
    const wanted = expect.replace(/\s+/g, ' ')
    for (;;) {
      const fresh = plainText(printed.slice(from)).replace(/\s+/g, ' ')
      if (fresh.includes(wanted)) break
      if (code !== undefined) {
        const got = sensitive ? 'its end' : `its end (${code}) after ${shown(fresh.trim())}`
        return outcome(unlike('prompt', shown(expect), got))
      }
      await change()
    }
    from = printed.length
    terminal.type(`${answer}\r`)
  }
  await Promise.race([over, change().then(() => over)])
  await over
  return outcome(
    (code === status ? undefined : unlike('exit status', String(status), String(code))) ??
      mismatch('stdout', stdout, plainText(printed), sensitive),
  )
}

/** Without what only moves a terminal's cursor or colours. @see ECMA-48, 5.4 (control sequences) */
function plainText(text: string): string {
  return text
    .replaceAll(/\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])/g, '')
    .replaceAll('\r\n', '\n')
    .replaceAll('\r', '\n')
}
