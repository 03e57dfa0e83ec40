import { expect, test } from '@jest/globals'
import { sha256 } from '../../../actions/lib/files/digest.ts'
import { Ledger, type Whence } from '../../../actions/mirror-deps/fetch/ledger.ts'
import { summaryMarkdown, summaryTable } from '../../../actions/mirror-deps/summary.ts'

function ledgerOf(notes: readonly [string, number, Whence, number?][]): Ledger {
  const ledger = new Ledger()
  notes.forEach(([source, size, whence, transferred], at) => {
    ledger.note(source, { sha256: sha256(String(at)), size }, whence, transferred)
  })
  return ledger
}

const ledger = ledgerOf([
  ['deb debian', 2000, 'downloaded', 2000],
  ['deb debian', 3000, 'refetched', 3000],
  ['deb debian', 1, 'shared'],
  ['gem app', 10, 'store'],
  ['gem app', 20, 'archive'],
])

test('a line for each source, and one for all of them', () => {
  expect(summaryTable(ledger)).toEqual([
    'source      artefacts    size  downloaded  from cache  from archive  refetched',
    'deb debian          3  5.0 kB  2 (5.0 kB)           1             0          1',
    'gem app             2    30 B           0           1             1          0',
    'in all              5  5.0 kB  2 (5.0 kB)           2             1          1',
  ])
})

test('the same in Markdown', () => {
  expect(summaryMarkdown(ledger)).toBe(`### mirror-deps

| source | artefacts | size | downloaded | from cache | from archive | refetched |
| :-- | --: | --: | --: | --: | --: | --: |
| deb debian | 3 | 5.0 kB | 2 (5.0 kB) | 1 | 0 | 1 |
| gem app | 2 | 30 B | 0 | 1 | 1 | 0 |
| **in all** | **5** | **5.0 kB** | **2 (5.0 kB)** | **2** | **1** | **1** |
`)
})

test('an empty mirror has no table', () => {
  expect(summaryTable(new Ledger())).toEqual([])
  expect(summaryMarkdown(new Ledger())).toBe('### mirror-deps\n\nThe mirror is empty.\n')
})

test('a name of a source cannot break the table', () => {
  const odd = summaryMarkdown(ledgerOf([['file a|b<i>', 1, 'store']]))
  expect(odd).toContain('| file a\\|b\\<i> | 1 |')
})
