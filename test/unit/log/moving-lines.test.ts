import { describe, expect, test } from '@jest/globals'
import { terminalLog } from '../../../actions/lib/log/terminal.ts'

/** What a terminal shows after everything written to it: \r, clear to the end of the line, one line up. */
function shownBy(written: string): string[] {
  const rows = ['']
  let row = 0
  for (const [token] of written.matchAll(/\r|\n|\u001b\[K|\u001b\[A|[^\r\n\u001b]+/g))
    if (token === '\u001b[K') rows[row] = ''
    else if (token === '\u001b[A') row--
    else if (token === '\n') rows[++row] ??= ''
    else if (token !== '\r') rows[row] = token
  return rows
}

function terminal(rows = 24, columns = 80) {
  let clock = 0
  let written = ''
  const log = terminalLog({
    debug: false,
    screen: { columns, rows, write: (text) => (written += text) },
    lines: { out: (line) => (written += `${line}\n`), err: (line) => (written += `${line}\n`) },
    now: () => clock,
  })
  return {
    log,
    shown: () => shownBy(written),
    pass(milliseconds: number) {
      clock += milliseconds
    },
  }
}

describe('several long things at once', () => {
  test('have a line each, the sum last; other lines stand above, and nothing is left at the end', () => {
    const { log, shown, pass } = terminal()
    const deb = log.progress('deb debian', 10_000_000, 'bytes')
    const iso = log.progress('iso debian', 90_000_000, 'bytes')
    const all = log.progress('in all', 100_000_000, 'bytes')
    pass(2000)
    for (const line of [deb, all]) line.add(10_000_000)
    log.info('hello')
    pass(1000)
    for (const line of [iso, all]) line.add(30_000_000)
    pass(1000)
    all.add(0)
    expect(shown()).toEqual([
      'hello',
      'deb debian  100 %  10.0 MB',
      'iso debian  33 %  30.0 MB of 90.0 MB  7.5 MB/s  8.0 s left',
      'in all  40 %  40.0 MB of 100 MB  10.0 MB/s  6.0 s left',
    ])
    for (const line of [deb, iso, all]) line.done()
    log.info('bye')
    expect(shown()).toEqual(['hello', 'bye', '', '', ''].slice(0, shown().length))
  })

  test('a terminal that says it has no room at all is taken for one of the usual size', () => {
    const { log, shown } = terminal(0, 0)
    for (const title of ['one', 'two']) log.progress(title, 1000, 'bytes')
    expect(shown()).toEqual(['one  0 %  0 B of 1.0 kB', 'two  0 %  0 B of 1.0 kB'])
  })

  test('what was here from an earlier run does not count for the rate, and a stall is seen', () => {
    const { log, shown, pass } = terminal()
    const iso = log.progress('iso', 100_000_000, 'bytes')
    iso.add(50_000_000, 0)
    pass(5000)
    iso.add(5_000_000)
    expect(shown()).toEqual(['iso  55 %  55.0 MB of 100 MB  1.0 MB/s  45 s left'])
    for (let second = 0; second < 25; second++) {
      pass(1000)
      iso.add(0)
    }
    expect(shown()).toEqual(['iso  55 %  55.0 MB of 100 MB'])
  })

  test('that have no room show as many of the last as fit', () => {
    const { log, shown } = terminal(3)
    for (const name of ['a', 'b', 'c', 'd']) log.progress(name, 0, 'items')
    expect(shown()).toEqual(['c  0', 'd  0'])
  })
})
