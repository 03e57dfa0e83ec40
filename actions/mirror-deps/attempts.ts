import { ApplianceError, type ErrorCode } from '../lib/errors/error.ts'

/** What is not a source's fault, and would fail all the others, too. */
const OURS: readonly ErrorCode[] = ['disk-full', 'missing-tool', 'interrupted', 'internal']

/** Things that are tried although others before them have failed, so that all that is wrong is told at once. */
export class Attempts {
  private readonly failed: ApplianceError[] = []

  /** What `work` gives, or undefined where it fails, which is told later. */
  async of<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof ApplianceError) || OURS.includes(error.code)) throw error
      this.failed.push(error)
      return undefined
    }
  }

  /** @throws ApplianceError with a line for each failure, of the code that the first has */
  refuse(): void {
    const [first, ...others] = this.failed
    if (!first) return
    if (others.length === 0) throw first
    const messages = new Set(this.failed.map(({ message }) => message))
    const hints = new Set(this.failed.flatMap(({ hint }) => hint ?? []))
    throw new ApplianceError(first.code, [...messages].join('\n'), {
      ...(hints.size > 0 ? { hint: [...hints].join('\n  ') } : {}),
      cause: first,
    })
  }
}
