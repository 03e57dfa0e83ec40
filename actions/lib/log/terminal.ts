import type { Progress } from './log.ts'
import { type MovingLine, movingLine } from './moving-line.ts'
import { type DoorLog, type Lines, plainLog, standardLines } from './plain.ts'

/** What moving lines need of a terminal. */
export interface Screen {
  readonly columns?: number
  readonly rows?: number
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
/** Up one line (ECMA-48 8.3.22). */
const UP = '\u001b[A'
/** Often enough to look alive, seldom enough to cost nothing. */
const EVERY = 200

/** Plain lines, and below them a line that moves for each long thing that is going on. */
export function terminalLog({
  debug,
  screen,
  lines = standardLines,
  now = () => performance.now(),
}: TerminalOptions): DoorLog {
  const moving = new Set<MovingLine>()
  let drawn = 0
  let last = Number.NEGATIVE_INFINITY
  // All in one piece, so that nothing flickers.
  const cleared = () => {
    const text = drawn === 0 ? '' : CLEAR + (UP + CLEAR).repeat(drawn - 1)
    drawn = 0
    return text
  }
  const clear = () => {
    const text = cleared()
    if (text !== '') screen.write(text)
  }
  const draw = () => {
    if (moving.size === 0) return clear()
    // Some pseudo-terminals say that they have no columns at all.
    const width = (screen.columns || 80) - 1
    // Where there is no room for all of them the last ones count: the sum is among them.
    const shown = [...moving].slice(-Math.max(1, (screen.rows || 24) - 1))
    const texts = shown.map((line) => line.text(now()).slice(0, width))
    screen.write((cleared() || CLEAR) + texts.join('\n'))
    drawn = texts.length
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
        add(amount, moved = amount) {
          line.add(amount, moved, now())
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
