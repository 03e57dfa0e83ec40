import { ApplianceError } from '../../lib/errors/error.ts'
import type { StepSettings } from '../../lib/spec/step.ts'
import { formatDuration } from '../../lib/units/duration.ts'
import type { Provisioning } from '../provisioning.ts'

/** Lines of a failed command's output that its message ends with. */
const SHOWN = 5

/**
 * Runs a step's command with the mirror's environment and the step's own, its output shown as it comes.
 *
 * @param onOutput instead of showing it
 * @throws ApplianceError `guest-failed` or `timeout`, with the end of what it said, unless the step is sensitive
 */
export async function inGuest(
  command: string,
  step: StepSettings & { title: string },
  { guest, work, env }: Pick<Provisioning, 'guest' | 'work' | 'env'>,
  onOutput?: (text: string, stream: 'stdout' | 'stderr') => void,
): Promise<void> {
  const last = new LastLines(SHOWN)
  const show = onOutput ?? ((text: string) => work.log.guest(text))
  const ends = () => {
    const said = step.sensitive ? '' : last.lines().join(' | ')
    return said ? `; it last said: ${said}` : ''
  }
  try {
    const { status } = await guest.run(command, {
      env: { ...env, ...step.env },
      signal: work.signal,
      title: step.title,
      allowFailure: true,
      ...(step.as ? { as: step.as } : {}),
      ...(step.timeout === undefined ? {} : { timeout: step.timeout }),
      onOutput: (text, stream) => {
        last.add(text)
        if (!step.sensitive) show(text, stream)
      },
    })
    if (status !== 0) throw new ApplianceError('guest-failed', `${step.title} failed (${status})${ends()}`)
  } catch (error) {
    if (!(error instanceof ApplianceError)) throw error
    if (error.code === 'timeout')
      throw new ApplianceError(
        'timeout',
        `${step.title} took longer than ${formatDuration(step.timeout!)}${ends()}`,
        { hint: 'Give it longer by timeout:, or see what it waits for.' },
      )
    if (error.code === 'no-answer')
      throw new ApplianceError('no-answer', `the guest stopped answering during ${step.title}${ends()}`)
    throw error
  }
}

/** The end of an output, by lines. */
export class LastLines {
  readonly #count: number
  #text = ''

  constructor(count: number) {
    this.#count = count
  }

  add(text: string): void {
    this.#text = (this.#text + text).slice(-400 * this.#count)
  }

  lines(): string[] {
    return this.#text
      .split(/[\r\n]+/)
      .map((line) => line.trim())
      .filter(Boolean)
      .slice(-this.#count)
      .map((line) => (line.length > 300 ? `… ${line.slice(-300)}` : line))
  }
}
