import { setTimeout as sleep } from 'node:timers/promises'
import { ApplianceError } from '../lib/errors/error.ts'
import { formatDuration } from '../lib/units/duration.ts'

/** Milliseconds that a timer can count (24 days); more than that it takes for none. */
const LONGEST = 2 ** 31 - 1

/**
 * Gives `work` at most `limit` ms: its signal aborts then, and the caller gets `timeout` even if `work` does not
 * heed the signal.
 */
export async function within<T>(
  limit: number,
  signal: AbortSignal,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const ended = new AbortController()
  const over = new Promise<never>((_, reject) => {
    const timer = setTimeout(
      () => {
        reject(new ApplianceError('timeout', `${what} took longer than ${formatDuration(limit)}`))
        ended.abort()
      },
      Math.min(limit, LONGEST),
    )
    const stop = () => {
      reject(signal.reason)
      ended.abort()
    }
    signal.addEventListener('abort', stop, { once: true })
    ended.signal.addEventListener('abort', () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
    })
  })
  const working = work(ended.signal)
  working.catch(() => {}) // it may still end badly after its time is over
  try {
    return await Promise.race([working, over])
  } finally {
    over.catch(() => {})
    ended.abort()
  }
}

/** Tries again, twice a second, until `attempt` is content or `limit` ms are over; gives its last answer. */
export async function eventually<T>(
  limit: number,
  signal: AbortSignal,
  attempt: (remaining: number) => Promise<T>,
  content: (answer: T) => boolean,
): Promise<{ answer: T; attempts: number }> {
  const end = performance.now() + limit
  for (let attempts = 1; ; attempts++) {
    const answer = await attempt(Math.max(1, end - performance.now()))
    if (content(answer) || performance.now() + PAUSE >= end) return { answer, attempts }
    await sleep(PAUSE, undefined, { signal })
  }
}

const PAUSE = 500
