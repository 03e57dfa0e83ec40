import {
  bounded,
  boundedList,
  count,
  equal,
  kindOf,
  MAX_ITEMS,
  type Method,
  Refusal,
  slice,
  text,
  times,
} from './arguments.ts'
import { inspect, type RubyValue, toText } from './value.ts'

export const ARRAY: Record<string, Method<RubyValue[]>> = {
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
