import { count, equal, type Method, Refusal } from './arguments.ts'
import { ARRAY } from './array-methods.ts'
import { HASH } from './hash-methods.ts'
import { matches, STRING } from './string-methods.ts'
import {
  inspect,
  RubyDigest,
  RubyFloat,
  RubyHash,
  RubyRegexp,
  RubySymbol,
  type RubyValue,
  toText,
} from './value.ts'

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
