import { isAlias, isMap, isScalar, isSeq, type Node, parseAllDocuments } from 'yaml'
import type { PlacedFault, SourceText, Span } from './source.ts'
import { type Place, RubyFloat, RubyHash, RubySymbol, type RubyValue, sizeOf } from './value.ts'

/** Most values in one file. */
const MOST = 20_000

/**
 * The first document of a YAML file as Psych, Ruby's reader, gives it: plain `yes`, `on`, `off` are true and false,
 * `:name` is a symbol, `010` is 8; what stands in quotes is a string.
 *
 * @param report is told every fault
 * @returns `undefined` when there was one
 */
export function readYaml(source: SourceText, report: (fault: PlacedFault) => void): RubyValue | undefined {
  return new YamlReader(source, report).read()
}

class YamlReader {
  readonly #source: SourceText
  readonly #report: (fault: PlacedFault) => void
  readonly #anchors = new Map<string, RubyValue>()
  #faults = 0
  #bytes: Uint32Array | undefined

  constructor(source: SourceText, report: (fault: PlacedFault) => void) {
    this.#source = source
    this.#report = report
  }

  read(): RubyValue | undefined {
    let value: RubyValue = null
    try {
      const documents = parseAllDocuments(this.#source.text, {
        schema: 'failsafe', // strings only: which of them mean something else is Psych's to say
        version: '1.1',
        logLevel: 'silent',
        uniqueKeys: false,
      })
      const document = Array.isArray(documents) ? documents[0] : undefined
      if (!document) return null
      const error = document.errors[0]
      if (error) this.#fault(error.pos, yamlTrouble(error.message))
      else value = this.#value(document.contents as Node | null, 0)
    } catch (thrown) {
      if (!(thrown instanceof RangeError)) throw thrown
      this.#fault([0, 1], 'nested too deeply')
    }
    return this.#faults ? undefined : value
  }

  #place(node: Node | null | undefined): Place {
    const [start, end] = node?.range ?? [0, 0]
    return { source: this.#source, span: this.#span(start, end) }
  }

  /** The reader counts UTF-16 units, places count bytes. */
  #span(start: number, end: number): Span {
    const { text, bytes } = this.#source
    if (text.length === bytes.length) return { startOffset: start, length: end - start }
    this.#bytes ??= byteOffsets(text)
    const startOffset = this.#bytes[start] ?? bytes.length
    return { startOffset, length: (this.#bytes[end] ?? bytes.length) - startOffset }
  }

  #fault([start, end]: readonly number[], message: string): null {
    this.#faults++
    this.#report(this.#source.fault(this.#span(start ?? 0, end ?? 0), message))
    return null
  }

  #value(node: Node | null, depth: number): RubyValue {
    if (node === null) return null
    if (depth > 60) return this.#fault(node.range ?? [0, 0], 'nested too deeply')
    if (isAlias(node)) {
      if (this.#anchors.has(node.source)) return this.#anchors.get(node.source)!
      return this.#fault(node.range ?? [0, 0], `*${node.source} stands for nothing before it`)
    }
    const value = this.#contents(node, depth)
    const anchor = (node as { anchor?: string }).anchor
    if (anchor) this.#anchors.set(anchor, value)
    if (anchor && sizeOf(value, MOST) > MOST) return this.#fault(node.range ?? [0, 0], 'too many values')
    return value
  }

  #contents(node: Node, depth: number): RubyValue {
    const tag = (node as { tag?: string }).tag
    if (isMap(node)) return this.#tagged(tag, node) ?? this.#hash(node.items as never, depth)
    if (isSeq(node))
      return this.#tagged(tag, node) ?? node.items.map((item) => this.#value(item as Node, depth + 1))
    if (!isScalar(node)) return this.#fault(node.range ?? [0, 0], 'not a value that definitions have')
    const text = String(node.value ?? '')
    if (tag === '!' || tag === 'tag:yaml.org,2002:str' || tag === '!str') return text
    if (tag === '!ruby/symbol' || tag === '!ruby/sym') return new RubySymbol(text)
    const plain = node.type === 'PLAIN' || node.type === undefined
    return this.#tagged(tag, node) ?? (plain ? scalar(text) : text)
  }

  /** A fault for tags that would make Ruby build objects; the ordinary ones say what is so anyway. */
  #tagged(tag: string | undefined, node: Node): undefined | null {
    if (tag === undefined || /^tag:yaml\.org,2002:(str|map|seq|int|float|bool|null)$/.test(tag))
      return undefined
    this.#fault(node.range ?? [0, 0], `the tag ${tag} makes an object of Ruby; write a plain value`)
    return null
  }

  #hash(pairs: readonly { key: Node; value: Node | null }[], depth: number): RubyValue {
    const hash = new RubyHash()
    for (const pair of pairs) {
      const value = this.#value(pair.value, depth + 1)
      if (isScalar(pair.key) && pair.key.type === 'PLAIN' && pair.key.value === '<<') {
        for (const base of [value].flat())
          if (base instanceof RubyHash)
            for (const entry of base.entries()) if (!hash.has(entry.key)) hash.set(entry)
        continue
      }
      hash.set({
        key: this.#value(pair.key, depth + 1),
        value,
        keyPlace: this.#place(pair.key),
        valuePlace: this.#place(pair.value ?? pair.key),
      })
    }
    return hash
  }
}

function yamlTrouble(message: string): string {
  if (/call stack/.test(message)) return 'nested too deeply'
  return `not YAML: ${message.split('\n')[0]!.replace(/ at line.*/, '')}`
}

/** For each UTF-16 unit of a text the byte of its UTF-8 where it begins. */
function byteOffsets(text: string): Uint32Array {
  const offsets = new Uint32Array(text.length + 1)
  let bytes = 0
  for (let at = 0; at < text.length; at++) {
    offsets[at] = bytes
    const code = text.charCodeAt(at)
    const surrogate = code >= 0xd800 && code < 0xe000
    bytes += code < 0x80 ? 1 : code < 0x800 || surrogate ? 2 : 3
  }
  offsets[text.length] = bytes
  return offsets
}

const INTEGER =
  /^(?:[-+]?0b[01_,]+|[-+]?0[0-7_,]+|[-+]?(?:0|[1-9](?:[0-9]|,[0-9]|_[0-9])*)|[-+]?0x[0-9a-fA-F_,]+)$/
const FLOAT = /^[-+]?(?:[0-9][0-9_,]*)?\.[0-9]*(?:[eE][-+][0-9]+)?$/

/** What a plain scalar means to Psych (`Psych::ScalarScanner#tokenize`). */
function scalar(text: string): RubyValue {
  if (text === '' || text === '~' || /^null$/i.test(text)) return null
  if (/^(yes|true|on)$/i.test(text)) return true
  if (/^(no|false|off)$/i.test(text)) return false
  if (/^:./.test(text)) return new RubySymbol(text.slice(1).replace(/^(["'])(.*)\1$/, '$2'))
  if (INTEGER.test(text)) return integer(text.replace(/[_,]/g, ''))
  if (FLOAT.test(text) && /[0-9]/.test(text)) return new RubyFloat(Number(text.replace(/[_,]/g, '')))
  if (/^[-+]?\.inf$/i.test(text))
    return new RubyFloat(text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY)
  if (/^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+$/.test(text)) return sexagesimal(text)
  return text
}

function integer(text: string): RubyValue {
  const sign = text.startsWith('-') ? -1n : 1n
  const digits = text.replace(/^[-+]/, '')
  const octal = /^0[0-7]+$/.test(digits)
  const value = sign * BigInt(octal ? `0o${digits.slice(1)}` : digits)
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** `12:30:45` is 45045 to Psych, and `12:30` is 45000: it counts from the hours on. */
function sexagesimal(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1
  const parts = text.replace(/^[-+]/, '').replaceAll('_', '').split(':')
  return sign * parts.reduce((sum, part, index) => sum + Number(part) * 60 ** Math.abs(index - 2), 0)
}
