/**
 * Every way in which `appliance` can fail. The union is closed: whoever adds a code decides here, once,
 * which exit status it means (see {@link exitStatus}).
 */
export type ErrorCode =
  | 'input' // something the user wrote is wrong; nothing was downloaded or booted
  | 'missing-tool' // this computer lacks a program or a permission
  | 'unreachable' // an upstream did not answer, or answered with an error
  | 'gone' // an upstream answers, but no longer has what the lock names
  | 'digest-mismatch' // bytes are not those the lock (or a signature) promises
  | 'unsatisfiable' // a package solver found no solution
  | 'command-failed' // a program on this computer failed
  | 'guest-failed' // a command inside the guest failed
  | 'no-answer' // a machine did not come up or stopped answering
  | 'timeout' // a step took longer than it may
  | 'check-failed' // validation found a fault in the appliance
  | 'unvalidated' // a disk without a passing verdict was to be packed
  | 'stale' // an earlier stage has to run first
  | 'disk-full'
  | 'interrupted'
  | 'internal'

/** One thing wrong in what the user wrote. */
export interface Fault {
  /** The file, relative to the working directory, and where in it. */
  file?: string
  /** 1-based. */
  line?: number
  column?: number
  /** One line: what is wrong, with a suggestion where there is one. */
  message: string
  /** The line itself, from which column on, and how many of its characters from `column` on are meant. */
  source?: string
  from?: number
  width?: number
}

export interface ErrorDetails {
  /** What the user can do about it: one sentence, imperative. */
  hint?: string
  /** Files that show what happened (screenshot, console, journal): absolute paths. */
  evidence?: string[]
  /** What was wrong, one by one, each with its place: all of `message`. */
  faults?: readonly Fault[]
  /** What is known all the same, for the steps of a workflow that follow: the stage's outputs. */
  outputs?: Readonly<Record<string, string>>
  cause?: unknown
}

/** An expected failure. `message` is one line that names what was wrong and where. */
export class ApplianceError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly evidence: string[]
  readonly faults: readonly Fault[]
  readonly outputs: Readonly<Record<string, string>>

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause })
    this.name = 'ApplianceError'
    this.code = code
    this.hint = details.hint
    this.evidence = details.evidence ?? []
    this.faults = details.faults ?? []
    this.outputs = details.outputs ?? {}
  }
}

/** A program on this computer that ended badly: its arguments, exit status and the end of its stderr. */
export class CommandFailed extends ApplianceError {
  readonly command: string
  readonly args: readonly string[]
  /** Exit status, or the name of the signal that ended it. */
  readonly status: number | string
  readonly stderrTail: string

  constructor(command: string, args: readonly string[], status: number | string, stderrTail: string) {
    const last = stderrTail.trim().split('\n').at(-1) ?? ''
    super('command-failed', `${command} failed (${status})${last ? `: ${last}` : ''}`)
    this.name = 'CommandFailed'
    this.command = command
    this.args = args
    this.status = status
    this.stderrTail = stderrTail
  }
}

/** The exit status of the command: 1 the user's input or a check failed, 2 our fault, 130 interrupted. */
export function exitStatus(error: unknown): 1 | 2 | 130 {
  if (!(error instanceof ApplianceError)) return 2
  if (error.code === 'interrupted') return 130
  return error.code === 'internal' ? 2 : 1
}

/** What Node calls a file that may not be written, or not at all be used; and what it is for a person. */
const FORBIDDEN: Readonly<Record<string, string>> = {
  EROFS: 'its file system is read-only',
  EACCES: 'this user may not',
  EPERM: 'it is not permitted',
}

/**
 * Whatever was thrown, as an `ApplianceError`; a full disk, a file that may not be written and an abort are recognised
 * by what Node calls them.
 */
export function toApplianceError(thrown: unknown): ApplianceError {
  if (thrown instanceof ApplianceError) return thrown
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOSPC') {
    const path = (error as NodeJS.ErrnoException).path
    return new ApplianceError(
      'disk-full',
      `no space left on the disk${path ? ` while writing ${path}` : ''}`,
      {
        hint: 'Free some space (appliance gc names what may go) and run the same command again; it continues.',
        cause: error,
      },
    )
  }
  const { path, syscall } = error as NodeJS.ErrnoException
  const why = FORBIDDEN[code ?? '']
  if (why !== undefined && path !== undefined) {
    const does = code === 'EROFS' ? 'written' : `used (${syscall})`
    return new ApplianceError('missing-tool', `${path} cannot be ${does}: ${why}`, {
      hint: 'Make it accessible for this user, or work in another folder (--working-directory).',
      cause: error,
    })
  }
  if (error.name === 'AbortError' || code === 'ABORT_ERR')
    return new ApplianceError('interrupted', 'interrupted', { cause: error })
  return new ApplianceError('internal', error.message, { cause: error })
}
