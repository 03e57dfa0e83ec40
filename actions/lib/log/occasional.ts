import { formatSize } from '../units/size.ts'
import type { Progress } from './log.ts'

/** Milliseconds between two lines about the same piece of work, where no line can move. */
const EVERY = 30_000

/** Progress as a plain line now and then: `debian: 20 MB of 180 MB`. */
export function occasionalProgress(
  title: string,
  total: number,
  unit: 'bytes' | 'items',
  out: (line: string) => void,
): Progress {
  const amount = (value: number) => (unit === 'bytes' ? formatSize(value) : String(value))
  let done = 0
  let told = performance.now()
  return {
    add(more) {
      done += more
      if (performance.now() - told < EVERY || (total > 0 && done >= total)) return
      told = performance.now()
      out(`${title}: ${amount(done)}${total > 0 ? ` of ${amount(total)}` : ''}`)
    },
    done() {},
  }
}
