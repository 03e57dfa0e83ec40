import { z } from 'zod'
import { nearest } from '../errors/nearest.ts'
import { flatIssues } from './issues.ts'
import { duration, existing, list, section, words, yesOrNo } from './section.ts'

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
  /** Name under which the step's value is known afterwards. */
  save?: string
  sensitive?: boolean
}

const settings = {
  name: words('a name').optional(),
  timeout: duration('20 min').optional(),
  as: words('a user of the guest').optional(),
  env: z.record(z.string(), z.coerce.string()).optional(),
  not: yesOrNo().optional(),
  eventually: duration('60 s').optional(),
  tags: list(words('a tag'), 'a list of tags').optional(),
  save: words('a name').optional(),
  sensitive: yesOrNo().optional(),
}

export const reservedKeys: readonly string[] = Object.keys(settings)

/** A kind's argument, and how a step of it is made from argument and settings. */
type Kinds = Record<string, z.ZodType<object>>

/**
 * One step: a map with exactly one kind key and, beside it, only reserved keys; a kind without arguments may be a
 * bare word. What a kind's schema gives is spread into the step, beside `kind`.
 */
export function stepOf<K extends Kinds>(kinds: K, planned: readonly string[] = []) {
  type Step = { [N in keyof K & string]: { kind: N } & z.output<K[N]> & StepSettings }[keyof K & string]
  const names = Object.keys(kinds)
  return z
    .unknown()
    .transform(async (value, context): Promise<Step> => {
      const refuse = (message: string, path: PropertyKey[] = []) => {
        context.issues.push({ code: 'custom', message, path, input: value })
        return z.NEVER
      }
      const map = typeof value === 'string' ? { [value]: null } : value
      if (typeof map !== 'object' || map === null || Array.isArray(map))
        return refuse('expected a step, e.g. - run: uptime')
      const found = Object.keys(map).filter((key) => !reservedKeys.includes(key))
      const unknown = found.filter((key) => !names.includes(key))
      for (const key of unknown) {
        if (planned.includes(key)) refuse(`step ${key} is not supported yet`, [key])
        else {
          const near = nearest(key, [...names, ...reservedKeys, ...planned])
          refuse(
            `there is no step ${key}${near ? `; did you mean ${near}?` : `; there are ${names.join(', ')}`}`,
            [key],
          )
        }
      }
      if (unknown.length > 0) return z.NEVER
      if (found.length === 0) return refuse(`a step needs one of ${names.join(', ')}`)
      if (found.length > 1)
        return refuse(`one step does one thing, this one has ${found.join(' and ')}: make two steps of it`)
      const kind = found[0]!
      const { [kind]: argument, ...rest } = map as Record<string, unknown>
      const [told, set] = await Promise.all([
        kinds[kind]!.safeParseAsync(argument ?? undefined),
        section(settings).safeParseAsync(rest),
      ])
      for (const issue of flatIssues(told.error?.issues ?? [])) refuse(issue.message, [kind, ...issue.path])
      for (const issue of flatIssues(set.error?.issues ?? [])) refuse(issue.message, issue.path)
      if (!told.success || !set.success) return z.NEVER
      const present = Object.fromEntries(Object.entries(set.data).filter(([, given]) => given !== undefined))
      return { kind, ...told.data, ...present } as Step
    })
    .meta({ stepKinds: names })
}

/** `"0644"` → 0o644. */
const mode = () =>
  words('a mode such as "0644"')
    .regex(/^0?[0-7]{3,4}$/, { error: 'expected a mode in quotes, such as "0644"' })
    .transform((text) => Number.parseInt(text, 8))

/** Steps of `provision:`. */
const provisionKinds = (directory: string) => ({
  shell: z.union([
    existing(directory, 'a script').transform((file) => ({ file, inline: undefined })),
    section({ inline: words('shell commands') }).transform(({ inline }) => ({ file: undefined, inline })),
  ]),
  upload: section({
    from: existing(directory, 'a file or folder'),
    to: words('a path in the guest'),
    owner: words('a user').optional(),
    group: words('a group').optional(),
    mode: mode().optional(),
  }),
  chef_solo: section({
    cookbooks: z
      .union([
        existing(directory, 'a folder of cookbooks').transform((one) => [one]),
        list(existing(directory, 'a folder')),
      ])
      .describe('A folder of cookbooks, or several'),
    run_list: list(words('a recipe, e.g. recipe[license_server]'), 'a list of recipes and roles'),
    attributes: z.union([existing(directory, 'a JSON file'), z.record(z.string(), z.unknown())]).default({}),
  }).transform(({ cookbooks, run_list: runList, attributes }) => ({
    cookbooks,
    runList,
    attributesFile: typeof attributes === 'string' ? attributes : undefined,
    attributes: typeof attributes === 'string' ? {} : attributes,
  })),
})

export const provisionStep = (directory: string) =>
  stepOf(provisionKinds(directory), ['capistrano', 'reboot', 'wait_for', 'download'])

export type ProvisionStep = z.output<ReturnType<typeof provisionStep>>
export { mode }
