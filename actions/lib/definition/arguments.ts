import {
  inspect,
  RubyDigest,
  RubyFloat,
  RubyHash,
  RubyRange,
  RubySymbol,
  type RubyValue,
  toText,
} from './value.ts'

/** A call that Ruby itself would refuse, or that is not in the subset. One line, said where the call stands. */
export class Refusal {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

/** Longest string, and most items of an array, that a definition may make. */
export const MAX_TEXT = 1 << 20
export const MAX_ITEMS = 100_000

export type Method<T> = (self: T, args: readonly RubyValue[]) => RubyValue

/** What a value is called in messages. */
export function kindOf(value: RubyValue): string {
  if (value === null) return 'nil'
  if (typeof value === 'string') return 'a string'
  if (typeof value === 'number' || typeof value === 'bigint' || value instanceof RubyFloat) return 'a number'
  if (typeof value === 'boolean') return String(value)
  if (value instanceof RubySymbol) return 'a symbol'
  if (Array.isArray(value)) return 'an array'
  if (value instanceof RubyHash) return 'a hash'
  if (value instanceof RubyRange) return 'a range'
  return 'a value'
}

export function text(value: RubyValue | undefined, doing: string): string {
  if (typeof value === 'string') return value
  throw new Refusal(
    `${doing} needs a string, not ${kindOf(value ?? null)}${value === null ? ' (a variable or key without a value?)' : '; .to_s makes one'}`,
  )
}

export function count(value: RubyValue | undefined, doing: string): number {
  if (typeof value === 'number') return value
  throw new Refusal(`${doing} needs a whole number, not ${kindOf(value ?? null)}`)
}

export function bounded(value: string): string {
  if (value.length > MAX_TEXT) throw new Refusal(`a string of more than ${MAX_TEXT} characters`)
  return value
}

export function boundedList(value: RubyValue[]): RubyValue[] {
  if (value.length > MAX_ITEMS) throw new Refusal(`an array of more than ${MAX_ITEMS} items`)
  return value
}

export function times(size: number, n: RubyValue | undefined, most: number): number {
  const by = count(n, '*')
  if (by < 0) throw new Refusal('* needs a number that is not negative')
  if (size * by > most) throw new Refusal(`* ${by} makes more than ${most} of it`)
  return by
}

/** `list[1]`, `list[1..2]`, `list[0, 2]`, for arrays and strings alike. */
export function slice<T>(items: readonly T[], args: readonly RubyValue[]): readonly T[] | T | undefined {
  const [at, length] = args
  const from = (n: number) => (n < 0 ? n + items.length : n)
  if (at instanceof RubyRange) {
    const start = from(at.from === null ? 0 : count(at.from, '[]'))
    const end = from(at.to === null ? -1 : count(at.to, '[]')) + (at.exclusive && at.to !== null ? 0 : 1)
    return start < 0 || start > items.length ? undefined : items.slice(start, Math.max(start, end))
  }
  const start = from(count(at, '[]'))
  if (length === undefined) return items[start]
  return start < 0 || start > items.length ? undefined : items.slice(start, start + count(length, '[]'))
}

/** Equality as `==` has it, for literal values. */
export function equal(a: RubyValue, b: RubyValue): boolean {
  const number = (value: RubyValue) => (value instanceof RubyFloat ? value.value : value)
  if (a instanceof RubyDigest || b instanceof RubyDigest) return toText(a) === toText(b)
  if (typeof number(a) === 'number' && typeof number(b) === 'number') return number(a) === number(b)
  return inspect(a) === inspect(b)
}
