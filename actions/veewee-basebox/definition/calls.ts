import {
  inspect,
  RubyDigest,
  RubyFloat,
  RubyHash,
  RubyRange,
  RubyRegexp,
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
const MAX_ITEMS = 100_000

type Method<T> = (self: T, args: readonly RubyValue[]) => RubyValue

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

function text(value: RubyValue | undefined, doing: string): string {
  if (typeof value === 'string') return value
  throw new Refusal(
    `${doing} needs a string, not ${kindOf(value ?? null)}${value === null ? ' (a variable or key without a value?)' : '; .to_s makes one'}`,
  )
}

function count(value: RubyValue | undefined, doing: string): number {
  if (typeof value === 'number') return value
  throw new Refusal(`${doing} needs a whole number, not ${kindOf(value ?? null)}`)
}

function bounded(value: string): string {
  if (value.length > MAX_TEXT) throw new Refusal(`a string of more than ${MAX_TEXT} characters`)
  return value
}

function boundedList(value: RubyValue[]): RubyValue[] {
  if (value.length > MAX_ITEMS) throw new Refusal(`an array of more than ${MAX_ITEMS} items`)
  return value
}

function times(size: number, n: RubyValue | undefined, most: number): number {
  const by = count(n, '*')
  if (by < 0) throw new Refusal('* needs a number that is not negative')
  if (size * by > most) throw new Refusal(`* ${by} makes more than ${most} of it`)
  return by
}

/** `list[1]`, `list[1..2]`, `list[0, 2]`, for arrays and strings alike. */
function slice<T>(items: readonly T[], args: readonly RubyValue[]): readonly T[] | T | undefined {
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

/** Ruby's `%`, for `%s`, `%d`, `%i`, `%05d`, `%-8s`, `%x` and `%%`. */
function format(pattern: string, values: readonly RubyValue[]): string {
  let next = 0
  return pattern.replace(/%(-?)(0?)(\d{0,3})([a-zA-Z%])/g, (all, minus, zero, width, kind) => {
    if (kind === '%') return '%'
    if (!'sdix'.includes(kind)) throw new Refusal(`% with ${all} is not read; write the string itself`)
    if (next >= values.length) throw new Refusal('% has too few values')
    const value = values[next++]!
    const shown =
      kind === 's'
        ? toText(value)
        : typeof value === 'number'
          ? value.toString(kind === 'x' ? 16 : 10)
          : undefined
    if (shown === undefined) throw new Refusal(`% with ${all} cannot show ${kindOf(value)}`)
    const size = Number(width || 0)
    return minus ? shown.padEnd(size) : shown.padStart(size, zero && kind !== 's' ? '0' : ' ')
  })
}

/** Ruby's `String#to_i`: the number a string begins with, or 0. */
export function leadingInteger(value: string): number {
  const digits = /^\s*([-+]?\d+(?:_\d+)*)/.exec(value)
  return digits ? Number(digits[1]!.replaceAll('_', '')) : 0
}

const blank = /^[\0\s]+|[\0\s]+$/g

const STRING: Record<string, Method<string>> = {
  '+': (self, [other]) => bounded(self + text(other, '+')),
  '*': (self, [n]) => self.repeat(times(self.length, n, MAX_TEXT)),
  '%': (self, [values]) => bounded(format(self, Array.isArray(values) ? values : [values ?? null])),
  '[]': (self, args) => {
    if (typeof args[0] === 'string') return self.includes(args[0]) ? args[0] : null
    const found = slice([...self], args)
    return found === undefined ? null : typeof found === 'string' ? found : found.join('')
  },
  to_s: (self) => self,
  to_str: (self) => self,
  to_i: (self) => leadingInteger(self),
  to_sym: (self) => new RubySymbol(self),
  strip: (self) => self.replace(blank, ''),
  lstrip: (self) => self.replace(/^[\0\s]+/, ''),
  rstrip: (self) => self.replace(/[\0\s]+$/, ''),
  chomp: (self, [end]) =>
    end === undefined
      ? self.replace(/\r?\n$|\r$/, '')
      : typeof end === 'string' && self.endsWith(end)
        ? self.slice(0, self.length - end.length)
        : self,
  upcase: (self) => self.toUpperCase(),
  downcase: (self) => self.toLowerCase(),
  capitalize: (self) => self.charAt(0).toUpperCase() + self.slice(1).toLowerCase(),
  length: (self) => [...self].length,
  size: (self) => [...self].length,
  lines: (self) => boundedList(self.match(/[^\n]*\n|[^\n]+$/g) ?? []),
  split: (self, [by]) => {
    if (by === undefined || by === null || by === ' ') return boundedList(self.split(/\s+/).filter(Boolean))
    const parts = self.split(text(by, 'split'))
    while (parts.at(-1) === '') parts.pop() // Ruby leaves empty ends out
    return boundedList(parts)
  },
  sub: (self, [from, to]) => bounded(self.replace(text(from, 'sub'), () => literal(to))),
  gsub: (self, [from, to]) => bounded(self.replaceAll(text(from, 'gsub'), () => literal(to))),
  'empty?': (self) => self === '',
  'include?': (self, [part]) => self.includes(text(part, 'include?')),
  'start_with?': (self, parts) => parts.some((part) => self.startsWith(text(part, 'start_with?'))),
  'end_with?': (self, parts) => parts.some((part) => self.endsWith(text(part, 'end_with?'))),
}

/** A replacement in which nothing is special (`\1` is, to Ruby). */
function literal(value: RubyValue | undefined): string {
  const replacement = text(value, 'a replacement')
  if (replacement.includes('\\')) throw new Refusal('a replacement with a backslash is not read')
  return replacement
}

const ARRAY: Record<string, Method<RubyValue[]>> = {
  '+': (self, [other]) => boundedList([...self, ...list(other, '+')]),
  '-': (self, [other]) => {
    const without = new Set(list(other, '-').map(inspect))
    return self.filter((item) => !without.has(inspect(item)))
  },
  '*': (self, [n]) => {
    if (typeof n === 'string') return join(self, n)
    const by = times(self.length, n, MAX_ITEMS)
    return Array.from({ length: by }, () => self).flat()
  },
  '[]': (self, args) => (slice(self, args) as RubyValue | undefined) ?? null,
  '<<': (self, [item]) => {
    boundedList(self).push(item ?? null)
    return self
  },
  push: (self, items) => {
    boundedList(self).push(...items)
    return self
  },
  unshift: (self, items) => {
    boundedList(self).unshift(...items)
    return self
  },
  concat: (self, lists) => {
    for (const items of lists.map((other) => list(other, 'concat'))) {
      if (self.length + items.length > MAX_ITEMS) boundedList([...self, ...items])
      self.push(...[...items])
    }
    return self
  },
  first: (self, args) => (args.length ? self.slice(0, count(args[0], 'first')) : (self[0] ?? null)),
  last: (self, args) => {
    const n = args.length ? count(args[0], 'last') : undefined
    return n === undefined ? (self.at(-1) ?? null) : n === 0 ? [] : self.slice(-n)
  },
  join: (self, [by]) => join(self, by === undefined || by === null ? '' : text(by, 'join')),
  flatten: (self) => boundedList((self as unknown[]).flat(20) as RubyValue[]),
  compact: (self) => self.filter((item) => item !== null),
  reverse: (self) => [...self].reverse(),
  uniq: (self) => [...new Map(self.map((item) => [inspect(item), item])).values()],
  length: (self) => self.length,
  size: (self) => self.length,
  to_a: (self) => self,
  'empty?': (self) => self.length === 0,
  'include?': (self, [item]) => self.some((other) => equal(other, item ?? null)),
}

function list(value: RubyValue | undefined, doing: string): RubyValue[] {
  if (Array.isArray(value)) return value
  throw new Refusal(`${doing} needs an array here, not ${kindOf(value ?? null)}`)
}

function join(items: readonly RubyValue[], by: string): string {
  const texts = items.map((item) => (Array.isArray(item) ? join(item, by) : toText(item)))
  if (texts.includes(undefined)) throw new Refusal('join of something that is not text')
  return bounded(texts.join(by))
}

const HASH: Record<string, Method<RubyHash>> = {
  '[]': (self, [key]) => self.get(key ?? null),
  '[]=': (self, [key, value]) => {
    self.set({ key: key ?? null, value: value ?? null })
    return value ?? null
  },
  merge: (self, others) => others.reduce<RubyHash>((sum, other) => sum.merge(hash(other, 'merge')), self),
  'merge!': (self, others) => {
    for (const other of others) for (const entry of hash(other, 'merge!').entries()) self.set(entry)
    return self
  },
  fetch: (self, [key, otherwise]) => {
    if (self.has(key ?? null)) return self.get(key ?? null)
    if (otherwise !== undefined) return otherwise
    throw new Refusal(`fetch of ${inspect(key ?? null)}, a key that this hash does not have`)
  },
  dig: (self, [key, ...rest]) => {
    const found = self.get(key ?? null)
    return rest.length && found instanceof RubyHash ? HASH.dig!(found, rest) : found
  },
  delete: (self, [key]) => {
    const found = self.get(key ?? null)
    self.delete(key ?? null)
    return found
  },
  'key?': (self, [key]) => self.has(key ?? null),
  'has_key?': (self, [key]) => self.has(key ?? null),
  'include?': (self, [key]) => self.has(key ?? null),
  keys: (self) => self.entries().map((entry) => entry.key),
  values: (self) => self.entries().map((entry) => entry.value),
  length: (self) => self.size,
  size: (self) => self.size,
  to_h: (self) => self,
  'empty?': (self) => self.size === 0,
}
HASH.update = HASH['merge!']!
HASH.store = HASH['[]=']!

function hash(value: RubyValue | undefined, doing: string): RubyHash {
  if (value instanceof RubyHash) return value
  throw new Refusal(`${doing} needs a hash, not ${kindOf(value ?? null)}`)
}

const arithmetic: Record<string, (a: number, b: number) => number> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a - b * Math.floor(a / b),
}

function calculate(name: string, self: number | RubyFloat, other: RubyValue | undefined): RubyValue {
  const whole = typeof self === 'number' && typeof other === 'number'
  const b = other instanceof RubyFloat ? other.value : count(other, name)
  const a = self instanceof RubyFloat ? self.value : self
  if (whole && b === 0 && (name === '/' || name === '%')) throw new Refusal('a division by zero')
  const result = arithmetic[name]!(a, b)
  if (!whole) return new RubyFloat(result)
  if (!Number.isSafeInteger(Math.floor(result))) throw new Refusal('a number this large')
  return Math.floor(result) // Ruby divides whole numbers downwards
}

/** Equality as `==` has it, for literal values. */
export function equal(a: RubyValue, b: RubyValue): boolean {
  const number = (value: RubyValue) => (value instanceof RubyFloat ? value.value : value)
  if (a instanceof RubyDigest || b instanceof RubyDigest) return toText(a) === toText(b)
  if (typeof number(a) === 'number' && typeof number(b) === 'number') return number(a) === number(b)
  return inspect(a) === inspect(b)
}

const SAME = new Set(['freeze', 'dup', 'clone', 'itself'])

/**
 * Calls a method of a value, as Ruby would.
 *
 * @returns `undefined` when the subset does not have the method
 * @throws Refusal when Ruby would raise, or the result would be too large
 */
export function callOn(self: RubyValue, name: string, args: readonly RubyValue[]): RubyValue | undefined {
  if (name === '==') return equal(self, args[0] ?? null)
  if (name === '!=') return !equal(self, args[0] ?? null)
  if (name === '!') return self === null || self === false
  if (name === 'nil?') return self === null
  if (name === 'inspect') return inspect(self)
  if (SAME.has(name))
    return name === 'freeze' || name === 'itself'
      ? self
      : Array.isArray(self)
        ? [...self]
        : self instanceof RubyHash
          ? self.copy()
          : self
  if (typeof self === 'string') {
    if ((name === '=~' || name === 'match?') && args[0] instanceof RubyRegexp) return matches(self, args[0])
    return own(STRING, name)?.(self, args)
  }
  if (Array.isArray(self)) return own(ARRAY, name)?.(self, args)
  if (self instanceof RubyHash) return own(HASH, name)?.(self, args)
  if (self instanceof RubyDigest && name === 'hexdigest') return self.hex
  if (self instanceof RubySymbol && name === 'to_sym') return self
  if (typeof self === 'number' || self instanceof RubyFloat) {
    if (arithmetic[name]) return calculate(name, self, args[0])
    if (name === '-@') return typeof self === 'number' ? -self : new RubyFloat(-self.value)
    if (name === 'to_i') return typeof self === 'number' ? self : Math.trunc(self.value)
    if (name === 'to_f') return new RubyFloat(typeof self === 'number' ? self : self.value)
  }
  if (self === null && name === 'to_i') return 0
  if (self === null && name === 'to_a') return []
  if (self === null && /^[-+*/[<]/.test(name)) throw new Refusal(`${name} of nil: there is no value here`)
  return name === 'to_s' ? toText(self) : undefined
}

function own<T>(methods: Record<string, Method<T>>, name: string): Method<T> | undefined {
  return Object.hasOwn(methods, name) ? methods[name] : undefined
}

/** Matches with a pattern that cannot take long: letters, classes, anchors and alternatives, nothing repeated. */
function matches(self: string, { source, ignoreCase }: RubyRegexp): boolean {
  if (/[*+?{}()]|\\[^AzZdwsDWS./\\^$[\]|-]|\[\[|&&/.test(source) || source.length > 200)
    throw new Refusal(`the regular expression /${source}/; compare with == or include?`)
  const pattern = source.replaceAll('\\A', '(?<![\\s\\S])').replaceAll(/\\[zZ]/g, '(?![\\s\\S])')
  try {
    return new RegExp(pattern, ignoreCase ? 'im' : 'm').test(self)
  } catch {
    throw new Refusal(`the regular expression /${source}/; compare with == or include?`)
  }
}
