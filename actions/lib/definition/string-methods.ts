import {
  bounded,
  boundedList,
  kindOf,
  MAX_TEXT,
  type Method,
  Refusal,
  slice,
  text,
  times,
} from './arguments.ts'
import { type RubyRegexp, RubySymbol, type RubyValue, toText } from './value.ts'

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

export const STRING: Record<string, Method<string>> = {
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

/** Matches with a pattern that cannot take long: letters, classes, anchors and alternatives, nothing repeated. */
export function matches(self: string, { source, ignoreCase }: RubyRegexp): boolean {
  if (/[*+?{}()]|\\[^AzZdwsDWS./\\^$[\]|-]|\[\[|&&/.test(source) || source.length > 200)
    throw new Refusal(`the regular expression /${source}/; compare with == or include?`)
  const pattern = source.replaceAll('\\A', '(?<![\\s\\S])').replaceAll(/\\[zZ]/g, '(?![\\s\\S])')
  try {
    return new RegExp(pattern, ignoreCase ? 'im' : 'm').test(self)
  } catch {
    throw new Refusal(`the regular expression /${source}/; compare with == or include?`)
  }
}
