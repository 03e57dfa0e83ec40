import { access } from 'node:fs/promises'
import { resolve } from 'node:path'
import { z } from 'zod'
import { nearest } from '../errors/nearest.ts'
import { parseDuration } from '../units/duration.ts'
import { parseSize } from '../units/size.ts'

/** What a wrong value is called in a message. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 60)} …` : text
}

/** A map with exactly these keys; an unknown one is a fault that suggests the nearest known one. */
export function section<S extends z.ZodRawShape>(shape: S) {
  const known = Object.keys(shape)
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys')
        return unknownKeys((issue as { keys?: string[] }).keys ?? [], known)
      return `expected a map with ${known.join(', ')}; got ${shown(issue.input)}`
    },
  })
}

/** The message for keys nobody knows. */
export function unknownKeys(keys: readonly string[], known: readonly string[]): string {
  return keys
    .map((key) => {
      const near = nearest(key, known)
      return `unknown key ${key}${near ? `; did you mean ${near}?` : `; known here: ${known.join(', ')}`}`
    })
    .join('; ')
}

/** Text that is not empty. */
export function words(what = 'text') {
  const error = (issue: { input: unknown }) =>
    issue.input === undefined ? `${what} is missing` : `expected ${what}, got ${shown(issue.input)}`
  return z.string({ error }).min(1, { error })
}

/** `2 GiB` → bytes. */
export function size(example = '2 GiB') {
  const error = (input: unknown) => `expected a size such as ${example}, got ${shown(input)}`
  return z.string({ error: (issue) => error(issue.input) }).transform((text, context) => {
    const bytes = parseSize(text)
    if (bytes === undefined) context.addIssue({ code: 'custom', message: error(text) })
    return bytes ?? 0
  })
}

/** `90 s` → milliseconds. */
export function duration(example = '90 s') {
  const error = (input: unknown) => `expected a time such as ${example}, got ${shown(input)}`
  return z.string({ error: (issue) => error(issue.input) }).transform((text, context) => {
    const milliseconds = parseDuration(text)
    if (milliseconds === undefined) context.addIssue({ code: 'custom', message: error(text) })
    return milliseconds ?? 0
  })
}

/** A whole number of at least `least`. */
export function count(least: number) {
  const error = (issue: { input: unknown }) => `expected a whole number ≥ ${least}, got ${shown(issue.input)}`
  return z.int({ error }).min(least, { error })
}

/** true or false. */
export function yesOrNo() {
  return z.boolean({ error: (issue) => `expected true or false, got ${shown(issue.input)}` })
}

/** One of a few words. */
export function oneOf<const T extends readonly [string, ...string[]]>(choices: T) {
  return z.enum(choices, {
    error: (issue) => {
      const near = typeof issue.input === 'string' ? nearest(issue.input, choices) : undefined
      return `expected one of ${choices.join(', ')}; got ${shown(issue.input)}${near ? `; did you mean ${near}?` : ''}`
    },
  })
}

/** A list. */
export function list<T extends z.ZodType>(item: T, what = 'a list') {
  return z.array(item, { error: (issue) => `expected ${what}, got ${shown(issue.input)}` })
}

/** A file or folder that is there, made absolute. Relative ones begin at the spec's folder. */
export function existing(directory: string, what = 'a file') {
  return words(what).transform(async (path, context) => {
    const absolute = resolve(directory, path)
    const found = await access(absolute).then(
      () => true,
      () => false,
    )
    if (!found) context.addIssue({ code: 'custom', message: `there is no ${path} in ${directory}` })
    return absolute
  })
}

/** A key that is planned: one clear line instead of a half-working stage. */
export function notYet(what: string) {
  return z
    .unknown()
    .optional()
    .superRefine((value, context) => {
      if (value !== undefined) context.addIssue({ code: 'custom', message: `${what} is not supported yet` })
    })
}
