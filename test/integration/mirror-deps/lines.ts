import type { Log } from '../../../actions/lib/log/log.ts'

/** Keeps what was logged. */
export class Lines implements Log {
  readonly lines: string[] = []
  /** What the last progress counted, and of how much. */
  counted = 0
  total = 0
  info = (line: string) => void this.lines.push(line)
  warn = this.info
  debug = () => {}
  guest = this.info
  mask = () => {}
  group<T>(_: string, work: () => Promise<T>) {
    return work()
  }
  progress(_: string, total: number) {
    this.counted = 0
    this.total = total
    return {
      add: (amount: number) => {
        this.counted += amount
      },
      done() {},
    }
  }
}
