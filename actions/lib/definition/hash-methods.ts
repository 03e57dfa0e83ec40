import { kindOf, type Method, Refusal } from './arguments.ts'
import { inspect, RubyHash, type RubyValue } from './value.ts'

export const HASH: Record<string, Method<RubyHash>> = {
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
