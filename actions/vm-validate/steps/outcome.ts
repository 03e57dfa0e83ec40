import type { Guest } from '../../lib/guest/guest.ts'
import type { Machine } from '../../lib/hypervisor/hypervisor.ts'
import type { Log } from '../../lib/log/log.ts'
import type { Browser } from '../browser.ts'
import { hidden } from '../secrecy.ts'

/** What a step can reach. */
export interface Surroundings {
  guest: Guest
  machine: Machine
  /** The scenario's own folder on this computer: where downloads go, and where uploads are looked for first. */
  scratch: string
  /** The folder of the spec: where uploads are looked for then. */
  project: string
  /** Cookies and certificates of this scenario. */
  browser: Browser
  /** Where the journal stood when the scenario began, or this installation was first booted. */
  journal: JournalMark | undefined
  /** See {@link TestMachine.installation}. */
  installation: number
  /** Takes what comes before it is an outcome: should it never become one, that is evidence. */
  hear?: (text: string) => void
  log: Log
  /** Milliseconds the step has; a command still running in the guest then is ended there. */
  limit: number
  signal: AbortSignal
}

/**
 * Whether what a step expects is so. A step that could not find out (no answer, broken connection, out of time)
 * throws instead: that is no outcome which `not` could turn into success.
 */
export interface Outcome {
  met: boolean
  /** One line: what was found and, where it is not so, what was expected. */
  finding: string
  /** All that the step printed or received; for the report (its end) and the evidence. */
  output?: string
  remarks?: string[]
  /** What `save` takes. */
  value?: string
  /** Headers of an HTTP answer, by their lower-case names, for `save`. */
  headers?: Readonly<Record<string, string | string[] | undefined>>
}

/** `expected stdout to match /x/, got "y"`; what is sensitive is not shown. */
export function unlike(what: string, expected: string, got: string, sensitive = false): string {
  return sensitive ? `${what} is not as expected (not shown)` : `expected ${what} ${expected}, got ${got}`
}

/** A value as a message shows it: JSON, on one line, at most 200 characters, of which the end counts most. */
export function shown(value: unknown): string {
  const whole = value === undefined ? 'nothing' : (JSON.stringify(value) ?? String(value))
  // A secret that is cut in two is found no more.
  const text = hidden(whole)
  return text.length <= 200 ? text : `${text.slice(0, 60)} … ${text.slice(-120)}`
}

/** One line about a text that does not match a regular expression, or undefined when it does. */
export function mismatch(
  what: string,
  pattern: string | undefined,
  text: string,
  sensitive = false,
): string | undefined {
  if (pattern === undefined || new RegExp(pattern, 'mu').test(text)) return undefined
  return unlike(what, `to match /${pattern}/`, shown(text.trim()), sensitive)
}

/** An outcome of several comparisons, of which each gives a line where it fails. */
export function allOf(
  found: string,
  faults: readonly (string | undefined)[],
  more: Partial<Outcome> = {},
): Outcome {
  const wrong = faults.filter((fault) => fault !== undefined)
  return { met: wrong.length === 0, finding: wrong.length > 0 ? wrong.join('; ') : found, ...more }
}

/** A place in a guest's journal. A time would not do: scenarios set the clock back. */
export interface JournalMark {
  /** journalctl's option for what is there from it on; undefined for everything. */
  from: string | undefined
  /** Of the boot then. */
  bootId: string
}
