import type { Declared } from './declared.ts'
import type { Span } from './source.ts'
import { leadingInteger } from './string-methods.ts'
import { inspect, RubyFloat, RubySymbol, type RubyValue, toText, type Unknown } from './value.ts'
import type { World } from './world.ts'

/** The declared keys, asked for by what they should hold; what they hold instead is reported where it stands. */
export class Asked {
  readonly world: World
  readonly declared: ReadonlyMap<string, Declared>
  readonly unknown: ReadonlyMap<string, Unknown>

  constructor(world: World, declared: ReadonlyMap<string, Declared>, unknown: ReadonlyMap<string, Unknown>) {
    this.world = world
    this.declared = declared
    this.unknown = unknown
  }

  /** `undefined` when it was not declared, or declared as nil. */
  value(name: string): RubyValue | undefined {
    return this.declared.get(name)?.value ?? undefined
  }

  /** Text that is not blank; `undefined` for nil, for an empty string and after a fault. */
  text(name: string): string | undefined {
    const value = this.value(name)
    if (value === undefined) return undefined
    const text = isText(value) ? toText(value)! : undefined
    if (text === undefined) this.fault(name, `${name} is ${shown(value)}; it needs a string`)
    return text?.trim() ? text : undefined
  }

  /** A list of texts; a single text is a list of one. */
  texts(name: string, split?: RegExp): string[] | undefined {
    const value = this.value(name)
    if (value === undefined) return undefined
    if (isText(value)) {
      const text = toText(value)!
      return split ? text.split(split).filter(Boolean) : text.trim() ? [text] : []
    }
    if (!Array.isArray(value)) {
      this.fault(name, `${name} is ${shown(value)}; it needs an array of strings`)
      return undefined
    }
    const wrong = value.find((item) => !isText(item))
    if (wrong === undefined) return value.map((item) => toText(item)!)
    this.fault(name, `${name} holds ${shown(wrong)}; it needs an array of strings`)
    return undefined
  }

  /** A whole number of something, within bounds. Numbers are usually strings. */
  number(name: string, otherwise: number, least: number, most: number, unit: string): number {
    const declared = this.declared.get(name)
    const value = this.value(name)
    if (value === undefined || value === '') return otherwise
    return this.whole(name, value, declared!, least, most, unit) ?? otherwise
  }

  whole(
    name: string,
    value: RubyValue,
    declared: Declared,
    least: number,
    most: number,
    unit: string,
  ): number | undefined {
    const number = this.#numberOf(name, value, declared, unit)
    if (number === undefined || (number >= least && number <= most)) return number
    this.fault(name, `${name} is ${number}; it must be from ${least} to ${most}${unit && ` ${unit}`}`)
    return undefined
  }

  #numberOf(name: string, value: RubyValue, declared: Declared, unit: string): number | undefined {
    if (typeof value === 'number') {
      // Ruby reads a leading zero as octal.
      if (/^0[0-7]+$/.test(declared.valuePlace.source.excerpt(declared.valuePlace.span)))
        this.warn(name, `${name} begins with 0, which makes it octal: it is ${value}`)
      return value
    }
    if (value instanceof RubyFloat && Number.isFinite(value.value)) {
      if (!Number.isInteger(value.value))
        this.warn(name, `${name} is ${shown(value)}; ${Math.trunc(value.value)} counts, as in VeeWee`)
      return Math.trunc(value.value)
    }
    if (typeof value === 'string') {
      if (/^(0|[1-9]\d{0,14})$/.test(value)) return Number(value)
      if (/^\s*[-+]?\d/.test(value)) {
        const number = leadingInteger(value)
        this.warn(name, `${name} is ${shown(value)}; ${number} counts, as in VeeWee: write it as '${number}'`)
        return number
      }
    }
    this.fault(name, `${name} is ${shown(value)}; it needs a whole number${unit && ` of ${unit}`}`)
    return undefined
  }

  /** Reports at the key's value, or at a text in it. */
  fault(name: string, message: string, within?: string): void {
    const place = this.declared.get(name)?.valuePlace
    if (place) this.world.report(place.source.fault(this.#narrow(name, within), message))
  }

  warn(name: string, message: string, within?: string): void {
    const place = this.declared.get(name)?.valuePlace
    if (place) this.world.warn(place.source.fault(this.#narrow(name, within), message))
  }

  warnKey(name: string, message: string): void {
    const place = this.declared.get(name)?.keyPlace
    if (place) this.world.warn(place.source.fault(place.span, message))
  }

  faultKey(name: string, message: string): void {
    const place = this.declared.get(name)?.keyPlace
    if (place) this.world.report(place.source.fault(place.span, message))
  }

  /** A fault of the whole definition: something is missing. */
  missing(message: string): void {
    if (this.world.incomplete) return
    const file = this.world.files.shown('definition.rb')
    this.world.report({ file, line: 1, column: 1, message, source: '', from: 1, width: 1 })
  }

  /** Where a text stands in a key's value, if it stands there literally. */
  #narrow(name: string, within: string | undefined): Span {
    const { source, span } = this.declared.get(name)!.valuePlace
    if (!within) return span
    const bytes = source.bytes.subarray(span.startOffset, span.startOffset + span.length)
    const at = bytes.indexOf(within)
    return at < 0 ? span : { startOffset: span.startOffset + at, length: Buffer.byteLength(within) }
  }
}

function isText(value: RubyValue): boolean {
  return (
    typeof value === 'string' ||
    typeof value === 'number' ||
    value instanceof RubySymbol ||
    (value !== null && typeof value === 'object' && !Array.isArray(value) && toText(value) !== undefined)
  )
}

/** A value in a message: short. */
export function shown(value: RubyValue): string {
  const text = inspect(value)
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}
