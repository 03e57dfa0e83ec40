import type { PlacedFault, SourceText, Span } from './source.ts'

/** Where a value or a key was written. */
export interface Place {
  source: SourceText
  span: Span
}

/** `:name` */
export class RubySymbol {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** `1.0`; whole numbers are JavaScript's numbers, and bigints where those are not exact. */
export class RubyFloat {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

/** `from..to`, `from...to` */
export class RubyRange {
  readonly from: RubyValue
  readonly to: RubyValue
  readonly exclusive: boolean
  constructor(from: RubyValue, to: RubyValue, exclusive: boolean) {
    this.from = from
    this.to = to
    this.exclusive = exclusive
  }
}

/** A block of code as a value (`Proc.new { }`, `lambda { }`, `-> { }`): known to be there, never run. */
export class RubyProc {
  readonly place: Place
  constructor(place: Place) {
    this.place = place
  }
}

/** A regular expression, kept as it was written: only templates compare with one. */
export class RubyRegexp {
  readonly source: string
  readonly ignoreCase: boolean
  constructor(source: string, ignoreCase: boolean) {
    this.source = source
    this.ignoreCase = ignoreCase
  }
}

/** A digest that was calculated (`Digest::MD5.file(x)`); turned to text it is its hexadecimal digits. */
export class RubyDigest {
  readonly hex: string
  constructor(hex: string) {
    this.hex = hex
  }
}

/** The local `definition`: what has been declared so far can be asked from it. */
export class RubyDefinition {}

/** What cannot be known without running the definition; the fault is reported once, wherever the value goes. */
export class Unknown {
  readonly fault: PlacedFault
  constructor(fault: PlacedFault) {
    this.fault = fault
  }
}

export interface RubyEntry {
  key: RubyValue
  value: RubyValue
  /** Of key and value in the source; a hash made by a calculation may have none. */
  keyPlace?: Place | undefined
  valuePlace?: Place | undefined
}

/** In the order of insertion, like Ruby's; `:a` and `'a'` are two keys of it. */
export class RubyHash {
  readonly #entries = new Map<string, RubyEntry>()

  set(entry: RubyEntry): void {
    const key = identity(entry.key)
    const old = this.#entries.get(key)
    // A key that is written again keeps its place in the order.
    this.#entries.set(key, old ? { ...entry, key: old.key } : entry)
  }

  get(key: RubyValue): RubyValue {
    return this.#entries.get(identity(key))?.value ?? null
  }

  has(key: RubyValue): boolean {
    return this.#entries.has(identity(key))
  }

  delete(key: RubyValue): void {
    this.#entries.delete(identity(key))
  }

  get size(): number {
    return this.#entries.size
  }

  entries(): RubyEntry[] {
    return [...this.#entries.values()]
  }

  merge(other: RubyHash): RubyHash {
    const merged = this.copy()
    for (const entry of other.entries()) merged.set(entry)
    return merged
  }

  copy(): RubyHash {
    const copy = new RubyHash()
    for (const entry of this.entries()) copy.set(entry)
    return copy
  }
}

export type RubyValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | RubySymbol
  | RubyFloat
  | RubyRange
  | RubyProc
  | RubyRegexp
  | RubyDigest
  | RubyDefinition
  | RubyHash
  | RubyValue[]
  | Unknown

/** Equal values have equal identities (`eql?` of Ruby, as hashes use it). */
function identity(key: RubyValue): string {
  if (typeof key === 'string') return `s${key}`
  if (key instanceof RubySymbol) return `:${key.name}`
  if (typeof key === 'number' || typeof key === 'bigint') return `i${key}`
  return `o${inspect(key)}`
}

/** The first thing unknown in a value, looking into arrays and hashes. */
export function unknownIn(value: RubyValue, depth = 0): Unknown | undefined {
  if (value instanceof Unknown) return value
  if (depth > MAX_DEPTH) return undefined
  if (Array.isArray(value)) return firstOf(value, (item) => unknownIn(item, depth + 1))
  if (value instanceof RubyHash)
    return firstOf(
      value.entries(),
      (entry) => unknownIn(entry.key, depth + 1) ?? unknownIn(entry.value, depth + 1),
    )
  return undefined
}

function firstOf<T>(items: readonly T[], find: (item: T) => Unknown | undefined): Unknown | undefined {
  for (const item of items) {
    const found = find(item)
    if (found) return found
  }
  return undefined
}

/** How deep values may be nested. */
export const MAX_DEPTH = 100

/** How many strings, numbers and so on a value has in all, counted up to `most`; too deep counts as too many. */
export function sizeOf(value: RubyValue, most: number, depth = 0): number {
  if (depth > MAX_DEPTH) return most + 1
  if (typeof value === 'string') return 1 + Math.floor(value.length / 100)
  let size = 1
  if (Array.isArray(value))
    for (const item of value) {
      size += sizeOf(item, most, depth + 1)
      if (size > most) return size
    }
  else if (value instanceof RubyHash)
    for (const entry of value.entries()) {
      size += sizeOf(entry.key, most, depth + 1) + sizeOf(entry.value, most, depth + 1)
      if (size > most) return size
    }
  return size
}

/** A copy that later changes of the original don't reach. */
export function frozenCopy(value: RubyValue): RubyValue {
  if (Array.isArray(value)) return value.map(frozenCopy)
  if (!(value instanceof RubyHash)) return value
  const copy = new RubyHash()
  for (const entry of value.entries()) copy.set({ ...entry, value: frozenCopy(entry.value) })
  return copy
}

/** As Ruby's `to_s` gives it for what can be put into a string; `undefined` for anything else. */
export function toText(value: RubyValue): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value)
  if (value === null) return ''
  if (value instanceof RubySymbol) return value.name
  if (value instanceof RubyFloat) return floatText(value.value)
  if (value instanceof RubyDigest) return value.hex
  return undefined
}

/** Ruby's `Float#to_s`: always with a point, an exponent from 1e16 up and below 1e-4. */
function floatText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity'
  if (Object.is(value, -0)) return '-0.0'
  const size = Math.abs(value)
  if (size !== 0 && (size >= 1e16 || size < 1e-4)) {
    const [digits, exponent] = value.toExponential().split('e') as [string, string]
    const sign = exponent.startsWith('-') ? '-' : '+'
    return `${digits.includes('.') ? digits : `${digits}.0`}e${sign}${exponent.slice(1).padStart(2, '0')}`
  }
  const text = String(value)
  return text.includes('.') ? text : `${text}.0`
}

/** The value as Ruby source. Reading it gives the same value again. */
export function inspect(value: RubyValue): string {
  if (typeof value === 'string') return quoted(value)
  if (value === null) return 'nil'
  if (value instanceof RubySymbol) return symbolText(value.name)
  if (value instanceof RubyDigest) return quoted(value.hex)
  if (Array.isArray(value)) return `[${value.map(inspect).join(', ')}]`
  if (value instanceof RubyHash) {
    const entries = value.entries().map(({ key, value: item }) => `${inspect(key)} => ${inspect(item)}`)
    return entries.length ? `{ ${entries.join(', ')} }` : '{}'
  }
  if (value instanceof RubyRange)
    return `(${inspect(value.from)}${value.exclusive ? '...' : '..'}${inspect(value.to)})`
  if (value instanceof RubyProc) return '(a Proc)'
  if (value instanceof RubyRegexp) return `/${value.source}/${value.ignoreCase ? 'i' : ''}`
  if (value instanceof RubyDefinition) return 'definition'
  if (value instanceof Unknown) return '(not known)'
  return toText(value)!
}

const PLAIN_SYMBOL = /^(?:[A-Za-z_][A-Za-z0-9_]*[?!=]?)$/

function symbolText(name: string): string {
  return PLAIN_SYMBOL.test(name) ? `:${name}` : `:${doubleQuoted(name)}`
}

/** In single quotes where nothing needs escaping, as definitions are written. */
function quoted(text: string): string {
  return /[\0-\x1f\x7f'\\]|\p{Cc}|\p{Cf}/u.test(text) ? doubleQuoted(text) : `'${text}'`
}

const ESCAPES: Record<string, string> = { '\n': '\\n', '\t': '\\t', '\r': '\\r', '"': '\\"', '\\': '\\\\' }

function doubleQuoted(text: string): string {
  const escaped = text.replace(
    /["\\]|#(?=[{$@])|[\0-\x1f\x7f]|\p{Cc}|\p{Cf}/gu,
    (character) =>
      ESCAPES[character] ?? (character === '#' ? '\\#' : `\\u{${character.codePointAt(0)!.toString(16)}}`),
  )
  return `"${escaped}"`
}
