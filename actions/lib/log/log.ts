/**
 * Where a stage says what it does. Plain lines in a pipe, groups in a workflow, a moving line on a terminal:
 * the stage does not know which.
 */
export interface Log {
  /** One line of news. */
  info(line: string): void
  warn(line: string): void
  /** Shown only under `--debug` or RUNNER_DEBUG. */
  debug(line: string): void
  /** Everything logged while `work` runs belongs under `title`. */
  group<T>(title: string, work: () => Promise<T>): Promise<T>
  /** A long piece of work measured in bytes or items. Call `done` at the end, also after a failure. */
  progress(title: string, total: number, unit: 'bytes' | 'items'): Progress
  /** Text that must never be shown from now on. */
  mask(secret: string): void
  /** Prints what a guest (or another untrusted program) said; it can issue no workflow commands. */
  guest(text: string): void
}

export interface Progress {
  /** @param moved how much of it counts for the rate; default: all, but not what was done in an earlier run */
  add(amount: number, moved?: number): void
  done(): void
}
