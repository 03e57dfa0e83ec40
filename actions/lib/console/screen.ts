import type { TextScreen } from './console.ts'

/** Everything before the cursor as one line of text, as if the screen were endlessly wide: text that wrapped is whole. */
export function beforeCursor({ rows, cursor }: TextScreen): string {
  const width = rows[0]?.length ?? 0
  return rows.join('').slice(0, cursor.row * width + cursor.column)
}

/** For people: rows without blanks at their ends, and without the empty ones at the end. */
export function shownText({ rows }: Pick<TextScreen, 'rows'>): string {
  return rows
    .map((row) => row.trimEnd())
    .join('\n')
    .trimEnd()
}

/** The last lines with something on them, as one line for a message. */
export function lastLines(text: string, count = 3): string {
  const said = text.split('\n').flatMap((line) => line.trim() || [])
  return said.slice(-count).join(' | ').slice(-300)
}

/**
 * Whether a text is on the screen. Runs of blanks count as one, and what wrapped at the right edge is found as well as
 * what stands on two lines.
 */
export function shows({ rows }: Pick<TextScreen, 'rows'>, text: string): boolean {
  const plain = (shown: string) => shown.replace(/\s+/g, ' ')
  const wanted = plain(text)
  return plain(rows.join('\n')).includes(wanted) || plain(rows.join('')).includes(wanted)
}
