import type { Log } from '../../../actions/lib/log/log.ts'

/** A log that remembers its lines. */
export function quietLog(): Log & { lines: string[] } {
  const lines: string[] = []
  const note = (line: string) => void lines.push(line)
  return {
    lines,
    info: note,
    warn: note,
    debug: note,
    guest: note,
    mask() {},
    group: (_, work) => work(),
    progress: () => ({ add() {}, done() {} }),
  }
}
