import { formatSize } from '../lib/units/size.ts'
import type { Ledger, Tally } from './fetch/ledger.ts'

const columns = [
  'source',
  'artefacts',
  'size',
  'downloaded',
  'from cache',
  'from archive',
  'refetched',
] as const

/** What a run did, source by source, for a person: a line each, in columns. Nothing for an empty mirror. */
export function summaryTable(ledger: Ledger): string[] {
  const rows = rowsOf(ledger)
  if (rows.length === 0) return []
  const all: readonly (readonly string[])[] = [columns, ...rows]
  const widths = columns.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  return all.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join('  '),
  )
}

/** The same as a table of Markdown, for the job's summary. */
export function summaryMarkdown(ledger: Ledger): string {
  const rows = rowsOf(ledger)
  if (rows.length === 0) return '### mirror-deps\n\nThe mirror is empty.\n'
  const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |`
  const bold = rows.map((row, index) => (index === rows.length - 1 ? row.map((cell) => `**${cell}**`) : row))
  const rule = `|${columns.map((_, column) => (column === 0 ? ' :-- ' : ' --: ')).join('|')}|`
  return `### mirror-deps\n\n${[line(columns), rule, ...bold.map(line)].join('\n')}\n`
}

/** A row a source, and one for all of them. */
function rowsOf({ rows }: Ledger): string[][] {
  if (rows.size === 0) return []
  const cells = [...rows].map(([source, tally]) => row(source, tally))
  return [...cells, row('in all', total([...rows.values()]))]
}

function row(source: string, tally: Tally): string[] {
  const { artefacts, bytes, downloaded, downloadedBytes, found, archived, refetched } = tally
  return [
    source,
    String(artefacts),
    formatSize(bytes),
    downloaded === 0 ? '0' : `${downloaded} (${formatSize(downloadedBytes)})`,
    String(found - archived),
    String(archived),
    String(refetched),
  ]
}

function total(tallies: readonly Tally[]): Tally {
  const sum = (key: keyof Tally) => tallies.reduce((so, tally) => so + tally[key], 0)
  return {
    artefacts: sum('artefacts'),
    bytes: sum('bytes'),
    downloaded: sum('downloaded'),
    downloadedBytes: sum('downloadedBytes'),
    found: sum('found'),
    archived: sum('archived'),
    refetched: sum('refetched'),
  }
}

/** The names of sources are the user's. */
function escaped(cell: string): string {
  return cell.replace(/[\\|<]/g, '\\$&')
}
