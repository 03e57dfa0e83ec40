/** How long, and how often, an address that does not give what it should is tried. Times in milliseconds. */
export interface Patience {
  /** How often each address is tried; an attempt that brought a good part of the file does not count. */
  tries: number
  /** Until a connection stands. */
  connect: number
  /** A connection on which nothing arrives for this long is broken. */
  stall: number
  /** Before the second attempt; it doubles with each further one. */
  pause: number
  /** No pause is longer, whatever the server asks for. */
  longest: number
}

export const usual: Patience = { tries: 4, connect: 20_000, stall: 60_000, pause: 1000, longest: 60_000 }

/**
 * How long to wait after a failed attempt: exponential, with jitter, so that eight downloads that failed together do
 * not come back together; what the server asked for (`Retry-After`), where that is longer.
 *
 * @param attempt 1 after the first one
 * @param random from 0 to 1
 */
export function pauseAfter(attempt: number, patience: Patience, asked: number, random: number): number {
  const exponential = patience.pause * 2 ** (attempt - 1) * (0.5 + random)
  return Math.min(patience.longest, Math.max(asked, exponential))
}

/**
 * `Retry-After`, in seconds or as a date (RFC 9110 §10.2.3), as milliseconds from now on; 0 where it says nothing.
 *
 * @param date the answer's own `Date`, if it has one: its clock may differ from ours
 * @param now milliseconds since 1970
 */
export function retryAfter(header: string | undefined, date: string | undefined, now: number): number {
  if (header === undefined) return 0
  if (/^\d+$/.test(header)) return Number(header) * 1000
  const there = date === undefined ? now : Date.parse(date) || now
  return Math.max(0, (Date.parse(header) || 0) - there)
}
