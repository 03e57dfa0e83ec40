import { formatDuration } from '../units/duration.ts'
import { formatSize } from '../units/size.ts'
import type { Progress } from './log.ts'
import { type DoorLog, type Lines, plainLog, standardLines } from './plain.ts'

/** What a moving line needs of a terminal. */
export interface Screen {
  readonly columns?: number
  write(text: string): unknown
}

export interface TerminalOptions {
  debug: boolean
  screen: Screen
  lines?: Lines
  /** Milliseconds; passed in by tests. */
  now?: () => number
}

/** Back to the first column, and clear the line (ECMA-48 8.3.41). */
const CLEAR = '\r\u001b[K'
/** Often enough to look alive, seldom enough to cost nothing. */
const EVERY = 200

/** Plain lines, and below them one line that moves while something long is going on. */
export function terminalLog({
  debug,
  screen,
  lines = standardLines,
  now = () => performance.now(),
}: TerminalOptions): DoorLog {
  const moving = new Set<MovingLine>()
  let drawn = false
  let last = Number.NEGATIVE_INFINITY
  const clear = () => {
    if (drawn) screen.write(CLEAR)
    drawn = false
  }
  const draw = () => {
    const line = [...moving].at(-1)?.text(now())
    if (line === undefined) return clear()
    screen.write(`${CLEAR}${line.slice(0, (screen.columns ?? 80) - 1)}`)
    drawn = true
    last = now()
  }
  const above = (put: (line: string) => void) => (line: string) => {
    clear()
    put(line)
    if (moving.size > 0) draw()
  }
  return plainLog({
    debug,
    lines: { out: above(lines.out), err: above(lines.err) },
    progress(title, total, unit): Progress {
      const line = movingLine(title, total, unit, now())
      moving.add(line)
      draw()
      return {
        add(amount) {
          line.add(amount)
          if (now() - last >= EVERY) draw()
        },
        done() {
          moving.delete(line)
          draw()
        },
      }
    },
  })
}

interface MovingLine {
  add(amount: number): void
  text(now: number): string
}

/** `fetch  42 %  1.2 GB of 2.9 GB  31 MB/s  55 s left` */
function movingLine(title: string, total: number, unit: 'bytes' | 'items', began: number): MovingLine {
  const amount = (value: number) => (unit === 'bytes' ? formatSize(value) : String(value))
  let done = 0
  return {
    add(more) {
      done += more
    },
    text(now) {
      const seconds = (now - began) / 1000
      const parts = [title]
      if (total > 0) parts.push(`${Math.floor(Math.min(1, done / total) * 100)} %`)
      parts.push(total > 0 ? `${amount(done)} of ${amount(total)}` : amount(done))
      if (seconds >= 1 && done > 0) {
        const rate = done / seconds
        if (unit === 'bytes') parts.push(`${formatSize(Math.round(rate))}/s`)
        if (total > done) parts.push(`${formatDuration(((total - done) / rate) * 1000)} left`)
      }
      return parts.join('  ')
    },
  }
}
