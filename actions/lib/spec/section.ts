import { z } from 'zod'
import { nearest } from '../errors/nearest.ts'
import { parseDuration } from '../units/duration.ts'
import { parseSize } from '../units/size.ts'

/** What a wrong value is called in a message. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 60)} …` : text
}

/** The message for a value that is not `what`, or that is not there at all. */
export function expected(what: string) {
  const but = what.includes(',') ? '; got' : ', got'
  return ({ input }: { input?: unknown }) =>
    input === undefined ? `is missing: expected ${what}` : `expected ${what}${but} ${shown(input)}`
}

/** Schemas of keys that are known and refused. */
const planned = new WeakSet<object>()

/** A map with exactly these keys; an unknown one is a fault that suggests the nearest known one. */
export function section<S extends z.ZodRawShape>(shape: S) {
  const keys = Object.keys(shape)
  const known = keys.filter((key) => !planned.has(shape[key]!))
  const wrongType = expected(`a map with ${known.join(', ')}`)
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? unknownKeys(issue.keys, known, keys) : wrongType(issue),
  })
}

/** The message for keys nobody knows: a line for each, in their order (see flatIssues). */
function unknownKeys(unknown: readonly string[], known: readonly string[], all: readonly string[]): string {
  return unknown.map((key) => unknownKey(key, known, all)).join('\n')
}

/**
 * The message for a key nobody knows.
 *
 * @param all those that are planned, too: a slip in one of these is recognised, but they are not offered
 */
export function unknownKey(key: string, known: readonly string[], all = known): string {
  const near = nearest(key, all)
  return `unknown key ${key}; ${near ? `did you mean ${near}? K` : 'k'}nown here: ${known.join(', ')}`
}

/** Text that is not empty. */
export function words(what: string) {
  const error = expected(what)
  return z.string({ error }).min(1, { error })
}

/** Text of a certain form. */
export function matching(form: RegExp, what: string) {
  const error = expected(what)
  return z.string({ error }).regex(form, { error })
}

/** Where a secret is, not what it is. What is written instead may be the secret itself: no message shows it. */
export function whereSecret(form: RegExp, what: string) {
  const error = ({ input }: { input?: unknown }) =>
    `${input === undefined ? 'is missing: ' : ''}expected ${what}, never the secret itself`
  return z.string({ error }).regex(form, { error })
}

/** Text that may look like a number or a truth in YAML: `PORT: 80` is "80". */
export function text(what = 'text') {
  const error = expected(what)
  return z.union([z.string({ error }), z.number({ error }), z.boolean({ error })]).transform(String)
}

const SIZE = '\\s*\\d+(\\.\\d+)?\\s*([kMGT]?B|[KMGT]iB)\\s*'

/** `2 GiB` → bytes. */
export function size(example = '2 GiB') {
  return measure(parseSize, `a size such as ${example}`, `^${SIZE}$`)
}

/** The same, or one word. */
export function sizeOr<const W extends string>(word: W, example = '2 GiB') {
  const parse = (text: string) => (text === word ? word : parseSize(text))
  return measure<number | W>(parse, `a size such as ${example}, or ${word}`, `^(${word}|${SIZE})$`)
}

/** `90 s` → milliseconds. */
export function duration(example = '90 s') {
  return measure(parseDuration, `a time such as ${example}`, '^\\s*\\d+(\\.\\d+)?\\s*(ms|s|min|h|d)\\s*$')
}

/** @param pattern for editors; `parse` is what counts */
function measure<T extends number | string = number>(
  parse: (text: string) => T | undefined,
  what: string,
  pattern: string,
) {
  const error = expected(what)
  return z
    .string({ error })
    .meta({ pattern })
    .transform((written, context): T => {
      const value = parse(written)
      if (value) return value
      context.addIssue({ code: 'custom', message: error({ input: written }) })
      return z.NEVER
    })
}

/** A whole number from `least` to `most`. */
export function count(least: number, most = Number.MAX_SAFE_INTEGER) {
  const range = most === Number.MAX_SAFE_INTEGER ? `≥ ${least}` : `from ${least} to ${most}`
  const error = expected(`a whole number ${range}`)
  return z.int({ error }).min(least, { error }).max(most, { error })
}

/** true or false. */
export function yesOrNo() {
  return z.boolean({ error: expected('true or false') })
}

/** One of a few words. */
export function oneOf<const T extends readonly [string, ...string[]]>(choices: T) {
  const error = expected(`one of ${choices.join(', ')}`)
  return z.enum(choices, {
    error: (issue) => {
      const near = typeof issue.input === 'string' ? nearest(issue.input, choices) : undefined
      return `${error(issue)}${near ? `; did you mean ${near}?` : ''}`
    },
  })
}

/** A list. */
export function list<T extends z.ZodType>(item: T, what = 'a list') {
  return z.array(item, { error: expected(what) })
}

/** A map from words of the user's own to values. */
export function mapOf<T extends z.ZodType>(value: T, what: string) {
  return z.record(z.string(), value, { error: expected(what) })
}

/** A key that is planned: one clear line instead of a half-working stage. */
export function notYet() {
  const schema = z
    .unknown()
    .optional()
    .superRefine((value, context) => {
      if (value !== undefined) context.addIssue({ code: 'custom', message: notSupported })
    })
    .meta({ description: 'Not supported yet', not: {} })
  planned.add(schema)
  return schema
}

export const notSupported = 'is not supported yet'
