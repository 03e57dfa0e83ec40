import { ApplianceError } from '../../lib/errors/error.ts'
import type { StepSettings } from '../../lib/spec/step.ts'
import { formatDuration } from '../../lib/units/duration.ts'
import type { Provisioning } from '../provisioning.ts'

/** Lines of a failed command's output that its message ends with. */
const SHOWN = 5

/** Who hears what a command says. A sensitive step's is heard, too, and is not to pass it on. */
export interface Listener {
  hear(text: string, stream: 'stdout' | 'stderr'): void
  /** The last words, for a person. */
  last(): string[]
}

/**
 * Runs a step's command with the mirror's environment and the step's own, its output shown as it comes.
 *
 * @param listener instead of showing it
 * @throws ApplianceError `guest-failed` or `timeout`, with the end of what it said, unless the step is sensitive
 */
export async function inGuest(
  command: string,
  step: StepSettings & { title: string },
  { guest, work, env }: Pick<Provisioning, 'guest' | 'work' | 'env'>,
  listener: Listener = shownAsItComes(step, work),
): Promise<void> {
  const ends = () => {
    const said = step.sensitive ? '' : listener.last().join(' | ')
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
      onOutput: (text, stream) => listener.hear(text, stream),
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

function shownAsItComes({ sensitive }: StepSettings, { log }: Pick<Provisioning['work'], 'log'>): Listener {
  const last = new LastLines(SHOWN)
  return {
    hear(text) {
      if (sensitive) return
      last.add(text)
      log.guest(text)
    },
    last: () => last.lines(),
  }
}

/** Does a step's work and removes what it took; where the machine is kept as it failed, that stays. */
export async function cleanedUp<T>(
  { leaves }: Pick<Provisioning, 'leaves'>,
  clean: () => Promise<void>,
  work: () => Promise<T>,
): Promise<T> {
  const did = await work().catch(async (error) => {
    if (!leaves) await clean()
    throw error
  })
  await clean()
  return did
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
