import type { ApplianceError } from '../errors/error.ts'
import { formatDuration } from '../units/duration.ts'
import { guestLines } from './guest-lines.ts'
import type { Log, Progress } from './log.ts'
import { occasionalProgress } from './occasional.ts'
import { secrets } from './secrets.ts'

/** Where a log's lines go; each without its newline. */
export interface Lines {
  /** News. */
  out(line: string): void
  /** Warnings, debugging, failures. */
  err(line: string): void
}

/** A log that can also say how it all ended. */
export interface DoorLog extends Log {
  /** Tells a failure: what was wrong, what to do about it, where the evidence lies; the stack only under debug. */
  failure(error: ApplianceError): void
}

export interface PlainOptions {
  debug: boolean
  lines: Lines
  /** Shows how far a long piece of work is; by default a line now and then. */
  progress?: (title: string, total: number, unit: 'bytes' | 'items') => Progress
}

/** Plain lines for pipes and files: groups as `== title`, closed with the seconds they took. */
export function plainLog({ debug, lines, progress }: PlainOptions): DoorLog {
  const hidden = secrets()
  const guest = guestLines()
  const each = (text: string, put: (line: string) => void) => {
    for (const line of guest.flush()) lines.out(`  | ${hidden.hide(line)}`)
    for (const line of hidden.hide(text).split('\n')) put(line)
  }
  const out = (text: string) => each(text, lines.out)
  const err = (text: string) => each(text, lines.err)
  const occasional: NonNullable<typeof progress> = (title, total, unit) =>
    occasionalProgress(title, total, unit, out)
  const log: DoorLog = {
    info: out,
    warn: (line) => err(`warning: ${line}`),
    debug: (line) => (debug ? err(`debug: ${line}`) : undefined),
    async group(title, work) {
      out(`== ${title}`)
      const began = performance.now()
      const close = (word: string) => out(`== ${title}: ${word}${formatDuration(performance.now() - began)}`)
      try {
        const result = await work()
        close('')
        return result
      } catch (error) {
        close('failed after ')
        throw error
      }
    },
    progress: (title, total, unit) => (progress ?? occasional)(hidden.hide(title), total, unit),
    mask: (secret) => hidden.add(secret),
    guest(text) {
      for (const line of guest.push(text)) lines.out(`  | ${hidden.hide(line)}`)
    },
    failure(error) {
      for (const line of failureLines(error, debug)) err(line)
    },
  }
  return log
}

/** A failure for a person to read. */
export function failureLines(error: ApplianceError, debug: boolean): string[] {
  const lines = error.message.split('\n').map((line) => `error: ${line}`)
  if (error.hint) lines.push(`  ${error.hint}`)
  for (const path of error.evidence) lines.push(`  see ${path}`)
  const again =
    process.env.GITHUB_ACTIONS === 'true' ? 'the job again with debug logging' : 'it again with --debug'
  if (error.code === 'internal')
    lines.push(`  This is our fault, not yours. Run ${again} and report what it prints.`)
  if (debug) for (const stack of stacks(error)) lines.push(...stack.split('\n').map((line) => `  ${line}`))
  return lines
}

/** The stacks of an error and of all that caused it. */
export function stacks(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  return [error.stack ?? error.message, ...stacks(error.cause).map((stack) => `caused by ${stack}`)]
}

/** Our own standard output and error. */
export const standardLines: Lines = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
}
