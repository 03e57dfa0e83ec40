import { formatDuration } from '../units/duration.ts'
import { formatSize } from '../units/size.ts'

/** The state of a long piece of work, on one line. Times in milliseconds. */
export interface MovingLine {
  /** @param moved how much of it counts for the rate: what was done in an earlier run came in no time */
  add(amount: number, moved: number, now: number): void
  text(now: number): string
}

/** The rate is that of the last ten to twenty seconds: a line that stalls is seen to. */
const WINDOW = 10_000

/** `fetch  42 %  1.2 GB of 2.9 GB  31 MB/s  55 s left` */
export function movingLine(title: string, total: number, unit: 'bytes' | 'items', began: number): MovingLine {
  const amount = (value: number) => (unit === 'bytes' ? formatSize(value) : String(value))
  let done = 0
  let moved = 0
  // The window's beginning, and that of the next one.
  let since = { at: began, moved: 0 }
  let next = since
  return {
    add(more, moving, now) {
      if (now - next.at >= WINDOW) {
        since = next
        next = { at: now, moved }
      }
      done += more
      moved += moving
    },
    text(now) {
      const seconds = (now - since.at) / 1000
      const parts = [title]
      if (total > 0) parts.push(`${Math.floor(Math.min(1, done / total) * 100)} %`)
      parts.push(total > 0 && total > done ? `${amount(done)} of ${amount(total)}` : amount(done))
      const rate = (moved - since.moved) / seconds
      if (seconds >= 1 && rate > 0 && (total === 0 || total > done)) {
        if (unit === 'bytes') parts.push(`${formatSize(Math.round(rate))}/s`)
        if (total > done) parts.push(`${formatDuration(((total - done) / rate) * 1000)} left`)
      }
      return parts.join('  ')
    },
  }
}
