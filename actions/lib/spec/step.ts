import { z } from 'zod'
import { nearest } from '../errors/nearest.ts'
import { flatIssues } from './issues.ts'
import {
  duration,
  list,
  mapOf,
  matching,
  notSupported,
  section,
  text,
  unknownKey,
  words,
  yesOrNo,
} from './section.ts'

/** The keys that may stand beside a step's kind (DESIGN §9). */
export interface StepSettings {
  name?: string
  /** Milliseconds. */
  timeout?: number
  as?: string
  env?: Record<string, string>
  not?: boolean
  /** Milliseconds within which the step must come true. */
  eventually?: number
  tags?: string[]
  /** Name under which the step's value is known afterwards; or names with what of it each takes. */
  save?: string | Record<string, Taken>
  sensitive?: boolean
}

/** A part of what a step printed or received. */
export interface Taken {
  /** A place in JSON: `licenses[0].key`. */
  json?: string
  /** A regular expression; its first group, or all that it matches. */
  match?: string
  /** A header of the answer. */
  header?: string
}

const NAME = /^[A-Za-z_][\w.-]*$/
const NAME_WORDS = 'a name of letters, digits, dot, dash and underscore'

const taken = section({
  json: words('a place such as licenses[0].key').optional().describe('A place in JSON: licenses[0].key'),
  match: words('a regular expression').optional().describe('Its first group, or all that it matches'),
  header: words('a header').optional().describe('A header of an HTTP answer'),
})
  .refine((given) => Object.values(given).filter((value) => value !== undefined).length === 1, {
    error: 'give one of json, match and header',
  })
  .transform((given) => given as Taken)

const settings = {
  name: words('a name').optional().describe('What the step is called in reports'),
  timeout: duration('20 min').optional().describe('How long it may take, e.g. 20 min'),
  as: words('a user of the guest').optional().describe('The guest’s user who does it'),
  env: mapOf(text('a value'), 'a map from variables to values')
    .optional()
    .describe('Environment variables for the guest’s shell'),
  not: yesOrNo().optional().describe('The step must fail'),
  eventually: duration('60 s').optional().describe('Tried again until it comes true, for so long, e.g. 60 s'),
  tags: list(words('a tag'), 'a list of tags').optional(),
  save: z
    .union([
      matching(NAME, NAME_WORDS),
      z.record(z.string().regex(NAME, { error: `expected ${NAME_WORDS}` }), taken, {
        error: 'expected a name, or a map from names to { json: … }, { match: … } or { header: … }',
      }),
    ])
    .optional()
    .describe('Later steps know its output as {{name}}; or parts of it: { key: { json: licenses[0].key } }'),
  sensitive: yesOrNo().optional().describe('Keeps what it says out of log and report'),
}

export const reservedKeys: readonly string[] = Object.keys(settings)

/** A kind's argument, and how a step of it is made from argument and settings. */
type Kinds = Record<string, z.ZodType<object>>

interface Planned {
  kinds?: readonly string[]
  settings?: readonly string[]
  /** Kind → settings that mean nothing beside it → what to do instead. */
  idle?: Idle
  /** Such steps may stand within one another, so editors' schema has them once, under a name. */
  shared?: boolean
}

type Idle = Readonly<Record<string, Readonly<Record<string, string>>>>

/** What the schema of a step is made of, for whoever describes it to editors (see json-schema). */
export interface StepGrammar {
  kinds: Kinds
  settings: Record<string, z.ZodType>
  idle: Idle
  shared: boolean
}

const grammars = new WeakMap<object, StepGrammar>()

/** The grammar behind a schema that `stepOf` gave. */
export function grammarOf(schema: object): StepGrammar | undefined {
  return grammars.get(schema)
}

/**
 * One step: a map with exactly one kind key and, beside it, only reserved keys; a kind without arguments may be a
 * bare word. What a kind's schema gives is spread into the step, beside `kind`.
 *
 * @param planned what is known and refused as not supported yet
 */
export function stepOf<K extends Kinds>(kinds: K, planned: Planned = {}) {
  type Step = { [N in keyof K & string]: { kind: N } & z.output<K[N]> & StepSettings }[keyof K & string]
  const names = Object.keys(kinds)
  const plannedKinds = planned.kinds ?? []
  const plannedSettings = planned.settings ?? []
  const idle = planned.idle ?? {}
  const known = reservedKeys.filter((key) => !plannedSettings.includes(key))
  const schema = z.unknown().transform((value, context): Step => {
    const refuse = (message: string, path: PropertyKey[] = []) => {
      context.issues.push({ code: 'custom', message, path, input: value })
    }
    const map = typeof value === 'string' ? { [value]: null } : value
    if (typeof map !== 'object' || map === null || Array.isArray(map)) {
      refuse(`expected a step: one of ${names.join(', ')}`)
      return z.NEVER
    }
    const keys = Object.keys(map)
    const found = keys.filter((key) => names.includes(key))
    const intended = keys.filter((key) => plannedKinds.includes(key))
    for (const key of intended) refuse(notSupported, [key])
    for (const key of keys.filter((key) => plannedSettings.includes(key)))
      refuse(`${notSupported} in these steps`, [key])
    for (const kind of found)
      for (const [key, instead] of Object.entries(idle[kind] ?? {}))
        if (keys.includes(key)) refuse(`means nothing beside ${kind}; ${instead}`, [key])
    const kindsMeant = found.length + intended.length
    const strange = keys.filter((key) => ![...names, ...plannedKinds, ...reservedKeys].includes(key))
    for (const key of strange)
      if (kindsMeant > 0) refuse(unknownKey(key, known), [key])
      else refuse(noSuchStep(key, names, plannedKinds), [key])
    if (kindsMeant === 0 && strange.length === 0) refuse(`a step needs one of ${names.join(', ')}`)
    if (kindsMeant > 1) {
      const together = [...found, ...intended].join(' and ')
      refuse(`one step does one thing, this one has ${together}: make two steps of it`)
    }

    const given: Record<string, unknown> = { ...map }
    const set = section(settings).safeParse(
      Object.fromEntries(keys.filter((key) => known.includes(key)).map((key) => [key, given[key]])),
    )
    for (const issue of flatIssues(set.error?.issues ?? [])) refuse(issue.message, issue.path)
    const argued: Record<string, object> = {}
    for (const kind of found) {
      const told = kinds[kind]!.safeParse(given[kind] ?? undefined)
      for (const issue of flatIssues(told.error?.issues ?? [])) refuse(issue.message, [kind, ...issue.path])
      if (told.success) argued[kind] = told.data
    }
    if (context.issues.length > 0) return z.NEVER
    const kind = found[0]!
    const present = Object.fromEntries(Object.entries(set.data!).filter(([, value]) => value !== undefined))
    return { kind, ...argued[kind], ...present } as Step
  })
  const usable = Object.fromEntries(Object.entries(settings).filter(([key]) => known.includes(key)))
  grammars.set(schema, { kinds, settings: usable, idle, shared: planned.shared ?? false })
  return schema
}

function noSuchStep(word: string, names: readonly string[], planned: readonly string[]): string {
  const near = nearest(word, [...names, ...reservedKeys, ...planned])
  return `there is no step ${word}; ${near ? `did you mean ${near}? T` : 't'}here are ${names.join(', ')}`
}

/** `"0644"` → 0o644. */
export const mode = () =>
  matching(/^0?[0-7]{3,4}$/, 'a mode in quotes, such as "0644"').transform((text) => Number.parseInt(text, 8))

/** Where something lies in the guest. */
export const guestPath = () => matching(/^(\/|\{\{)/, 'a path in the guest that begins with /')

/** A kind without an argument. */
export const nothing = (description: string) =>
  z
    .undefined({ error: 'this step takes no argument' })
    .transform(() => ({}))
    .describe(description)
