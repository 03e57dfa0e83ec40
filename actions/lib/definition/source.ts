import type { Fault } from '../errors/fault.ts'

/** A piece of a text: offset and length in bytes of its UTF-8, as Prism counts. */
export interface Span {
  startOffset: number
  length: number
}

/** A fault or a warning with what is needed to point at it. */
export type PlacedFault = Required<Fault>

/** Characters before the column that are shown of a long line, and at least as many after it. */
const SHOWN = 120

/** What a definition holds may be put into messages: without line ends, and nothing that steers a terminal. */
function oneLine(message: string): string {
  return message.replace(/[\0-\x1f\x7f-\x9f\u2028\u2029]+/g, ' ').slice(0, 500)
}

/** Characters of UTF-8: the bytes that begin one. */
function charactersIn(bytes: Buffer, start: number, end: number): number {
  let count = 0
  for (let at = start; at < end; at++) if ((bytes[at]! & 0xc0) !== 0x80) count++
  return count
}

/** The byte at which the character `count` characters before `at` begins. */
function back(bytes: Buffer, at: number, count: number): number {
  let left = count
  let found = at
  while (left > 0 && found > 0) if ((bytes[--found]! & 0xc0) !== 0x80) left--
  return found
}

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
    const end = span.startOffset + Math.min(span.length, length * 8)
    const text = this.bytes.toString('utf8', span.startOffset, end)
    const line = text.split('\n', 1)[0]!.trim()
    return line.length > length || line.length < text.trim().length ? `${line.slice(0, length)}…` : line
  }

  /** 1-based; the column counts characters, not bytes. */
  fault(span: Span, message: string): PlacedFault {
    const start = Math.min(span.startOffset, this.bytes.length)
    const line = this.#lineAt(start)
    const begin = this.#lines[line]!
    const end = Math.max(begin, (this.#lines[line + 1] ?? this.bytes.length + 1) - 1)
    const column = charactersIn(this.bytes, begin, start) + 1
    const last = Math.max(start, Math.min(end, start + span.length, start + 4 * SHOWN))
    // Of a long line the part around the column.
    const from = column > SHOWN ? column - SHOWN / 2 : 1
    const first = from === 1 ? begin : back(this.bytes, start, SHOWN / 2)
    const text = this.bytes.toString('utf8', first, Math.min(end, first + 8 * SHOWN))
    return {
      file: this.file,
      line: line + 1,
      column,
      message: oneLine(message),
      source: [...text.replace(/\r$/, '')].slice(0, 2 * SHOWN).join(''),
      from,
      width: Math.max(1, charactersIn(this.bytes, start, last)),
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
