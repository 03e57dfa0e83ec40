import type { Fault } from '../../lib/errors/fault.ts'

/** A piece of a text: offset and length in bytes of its UTF-8, as Prism counts. */
export interface Span {
  startOffset: number
  length: number
}

/** A fault or a warning with what is needed to point at it. */
export interface PlacedFault extends Fault {
  file: string
  line: number
  column: number
  /** The line of the source, and how many of its characters from `column` on are meant. */
  source: string
  width: number
}

const MAX_SHOWN = 200

/** One file of a definition, and where in it things are. */
export class SourceText {
  /** Relative to the working directory, for people. */
  readonly file: string
  readonly text: string
  readonly bytes: Buffer
  readonly #lines: number[] = [0]

  constructor(file: string, text: string) {
    this.file = file
    this.text = text
    this.bytes = Buffer.from(text)
    for (let at = this.bytes.indexOf(10); at >= 0; at = this.bytes.indexOf(10, at + 1))
      this.#lines.push(at + 1)
  }

  /** The text of a span, its first line, at most `length` characters. */
  excerpt(span: Span, length = 40): string {
    const text = this.bytes.toString('utf8', span.startOffset, span.startOffset + span.length)
    const line = text.split('\n', 1)[0]!.trim()
    return line.length > length || line.length < text.trim().length ? `${line.slice(0, length)}…` : line
  }

  /** 1-based; the column counts characters, not bytes. */
  fault(span: Span, message: string): PlacedFault {
    const start = Math.min(span.startOffset, this.bytes.length)
    const line = this.#lineAt(start)
    const begin = this.#lines[line]!
    const end = (this.#lines[line + 1] ?? this.bytes.length + 1) - 1
    const column = [...this.bytes.toString('utf8', begin, start)].length + 1
    const width = [...this.bytes.toString('utf8', start, Math.max(start, Math.min(end, start + span.length)))]
    const source = this.bytes.toString('utf8', begin, Math.max(begin, end)).replace(/\r$/, '')
    return {
      file: this.file,
      line: line + 1,
      column,
      message,
      source: source.slice(0, MAX_SHOWN),
      width: Math.max(1, Math.min(width.length, MAX_SHOWN)),
    }
  }

  #lineAt(offset: number): number {
    let low = 0
    let high = this.#lines.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#lines[middle]! <= offset) low = middle
      else high = middle - 1
    }
    return low
  }
}

/**
 * A fault for people: place and message, then the line and carets under what is meant.
 *
 * ```
 * base/definition.rb:7:15: …
 *   7 |   :iso_md5 => `md5sum x.iso`,
 *     |               ^^^^^^^^^^^^^^
 * ```
 */
export function showFault(fault: Fault & Partial<PlacedFault>): string {
  const place = [fault.file, fault.line, fault.column].filter((part) => part !== undefined).join(':')
  const first = place ? `${place}: ${fault.message}` : fault.message
  if (!fault.source || fault.line === undefined || fault.column === undefined) return first
  const gutter = String(fault.line)
  // Tabs stay tabs, so that the carets stand where they should in any terminal.
  const indent = [...fault.source]
    .slice(0, fault.column - 1)
    .map((character) => (character === '\t' ? '\t' : ' '))
    .join('')
  const room = Math.max(1, [...fault.source].length - fault.column + 1)
  const carets = '^'.repeat(Math.min(fault.width ?? 1, room))
  const printable = fault.source.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, '·')
  return [first, `  ${gutter} | ${printable}`, `  ${' '.repeat(gutter.length)} | ${indent}${carets}`].join(
    '\n',
  )
}
