import { Evaluator, type Node } from './evaluate.ts'
import type { FunctionCall, RubyFunction } from './functions.ts'
import { parseRuby } from './parser.ts'
import { type PlacedFault, SourceText, type Span } from './source.ts'
import { type RubyValue, toText, Unknown } from './value.ts'
import type { World } from './world.ts'

/** A piece of a template: text, `<%= value %>` or `<% code %>`; the span is the Ruby's, in bytes. */
interface Piece {
  kind: 'text' | 'value' | 'code'
  text: string
  span: Span
}

/** A rendered file is not longer, in characters. */
const MAX_OUTPUT = 4 << 20

/**
 * Renders a template (ERB) for the cases that definitions have: `<%= definition.ssh_user %>`, locals, conditions on
 * what the definition declares. It becomes one Ruby program, as ERB itself does it, of which the subset is evaluated.
 *
 * @returns `undefined` when there was a fault; all are reported at their place in the template
 */
export function renderTemplate(source: SourceText, world: World): string | undefined {
  const pieces = piecesOf(source)
  if (typeof pieces === 'number') {
    world.report(source.fault({ startOffset: pieces, length: 2 }, '<% has no %> that ends it'))
    return undefined
  }
  const program = new Program(source, pieces)
  const parsed = parseRuby(program.text)
  const error = parsed?.errors[0]
  if (!parsed || error) {
    const [span, message] = error
      ? [error.location, `not Ruby: ${error.message}`]
      : [{ startOffset: 0, length: 0 }, 'this template is nested too deeply']
    world.report(program.fault(span, message))
    return undefined
  }
  const output = new Output(pieces)
  const functions = { _text: output.text, _value: output.value }
  const evaluator = new Evaluator(program, world, { conditions: true, functions })
  evaluator.all(parsed.value.statements.body as unknown as Node[])
  return evaluator.metUnknown ? undefined : output.rendered
}

class Output {
  rendered = ''
  readonly #pieces: readonly Piece[]

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces
  }

  readonly text: RubyFunction = ({ evaluator, node }) => {
    const [index] = evaluator.arguments(node)
    this.rendered += this.#pieces[index as number]!.text
    return null
  }

  readonly value: RubyFunction = (call: FunctionCall): RubyValue => {
    const { evaluator, node } = call
    const [value = null] = evaluator.arguments(node)
    if (value instanceof Unknown) return value
    const text = toText(value)
    if (text === undefined) return evaluator.fault(node, 'this is not text; <%= %> takes strings and numbers')
    if (this.rendered.length + text.length > MAX_OUTPUT)
      return evaluator.fault(node, 'the rendered file is too long')
    this.rendered += text
    return null
  }
}

/** The Ruby made of a template; its faults are placed in the template. */
class Program extends SourceText {
  readonly #template: SourceText
  /** Where each piece of Ruby begins in the program, ascending. */
  readonly #starts: { at: number; span: Span }[] = []

  constructor(template: SourceText, pieces: readonly Piece[]) {
    const starts: { at: number; span: Span }[] = []
    let program = ''
    let bytes = 0
    const add = (text: string) => {
      program += text
      bytes += Buffer.byteLength(text)
    }
    for (const [index, { kind, text, span }] of pieces.entries()) {
      if (kind === 'text') {
        add(`;_text(${index});`)
        continue
      }
      add(kind === 'value' ? ';_value((' : '')
      starts.push({ at: bytes, span })
      // The line ends a comment that the code may end with.
      add(kind === 'value' ? `${text}\n));` : `${text}\n`)
    }
    super(template.file, program)
    this.#template = template
    this.#starts = starts
  }

  override fault(span: Span, message: string): PlacedFault {
    const piece = this.#starts.findLast(({ at }) => at <= span.startOffset) ?? this.#starts[0]
    if (!piece) return this.#template.fault({ startOffset: 0, length: 1 }, message)
    const within = Math.min(Math.max(0, span.startOffset - piece.at), piece.span.length)
    const length = Math.min(span.length, piece.span.length - within)
    return this.#template.fault({ startOffset: piece.span.startOffset + within, length }, message)
  }
}

/** @returns the pieces, or where a `<%` stands that nothing ends */
function piecesOf(source: SourceText): Piece[] | number {
  const pieces: Piece[] = []
  const { text } = source
  let bytes = 0
  let at = 0
  let plain = ''
  const take = (to: number): string => {
    const taken = text.slice(at, to)
    at = to
    bytes += Buffer.byteLength(taken)
    return taken
  }
  const flush = () => {
    if (plain) pieces.push({ kind: 'text', text: plain, span: { startOffset: bytes, length: 0 } })
    plain = ''
  }
  while (at < text.length) {
    const open = text.indexOf('<%', at)
    plain += take(open < 0 ? text.length : open)
    if (open < 0) break
    if (text.startsWith('<%%', at)) {
      take(at + 3)
      plain += '<%'
      continue
    }
    const end = text.indexOf('%>', at + 2)
    if (end < 0) return bytes
    const mark = /^<%([=#-]?)/.exec(text.slice(at, at + 3))![1]!
    take(at + 2 + mark.length)
    if (mark === '-') plain = plain.replace(/[ \t]+$/, '')
    flush()
    const trims = text[end - 1] === '-' && end - 1 >= at
    const startOffset = bytes
    const code = take(trims ? end - 1 : end)
    if (mark !== '#')
      pieces.push({
        kind: mark === '=' ? 'value' : 'code',
        text: code,
        span: { startOffset, length: Buffer.byteLength(code) },
      })
    take(end + 2)
    if (trims && text[at] === '\n') take(at + 1)
  }
  flush()
  return pieces
}
