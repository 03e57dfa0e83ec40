import type { Fault } from '../errors/fault.ts'
import { nearest } from '../errors/nearest.ts'
import type { Positioned } from './positions.ts'
import { keysAt, listAt, textAt } from './raw.ts'

/** `{{name}}` in a text (DESIGN §9). */
const reference = /\{\{\s*([A-Za-z_][\w.-]*)\s*\}\}/g

/** What a step says about itself is for people: nothing is filled in there. */
const labels = ['name', 'tags', 'save']

interface Reference {
  name: string
  path: PropertyKey[]
}

/** Every `{{name}}` in the texts of a value, however deep they lie. */
export function referencesIn(value: unknown, path: readonly PropertyKey[] = []): Reference[] {
  if (typeof value === 'string')
    return [...value.matchAll(reference)].map(([, name]) => ({ name: name!, path: [...path] }))
  if (Array.isArray(value)) return value.flatMap((entry, index) => referencesIn(entry, [...path, index]))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, entry]) => referencesIn(entry, [...path, key]))
}

/** `{{name}}`s of a scenario that neither the spec nor an earlier step gives. */
export function unknownNames(yaml: Positioned, known: readonly string[]): Fault[] {
  return unknownIn(listAt(yaml.value, 'steps'), ['steps'], [...known], yaml)
}

/** @param names those known by now; what the steps save is added */
function unknownIn(
  steps: readonly unknown[],
  path: readonly PropertyKey[],
  names: string[],
  yaml: Positioned,
): Fault[] {
  return steps.flatMap((step, index) => {
    const at = [...path, index]
    const unknown = stepReferences(step)
      .filter(({ name }) => !names.includes(name))
      .map((found) => yaml.fault([...at, ...found.path], notKnown(found.name, names)))
    const inside = innerLists.flatMap((inner) =>
      unknownIn(listAt(step, ...inner), [...at, ...inner], names, yaml),
    )
    const saved = textAt(step, 'save')
    names.push(...(saved ? [saved] : keysAt(step, 'save')))
    return [...unknown, ...inside]
  })
}

/** Where a step holds others. */
const innerLists = [['repeat', 'steps'], ['parallel']]
const blocks = innerLists.map(([kind]) => kind!)

function stepReferences(step: unknown): Reference[] {
  return referencesIn(step).filter(({ path }) => ![...labels, ...blocks].includes(String(path[0])))
}

function notKnown(name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  return `{{${name}}} is not known here; ${
    near
      ? `did you mean {{${near}}}?`
      : 'give it under variables: or secrets: in the spec, or save it in an earlier step'
  }`
}

/** Values meant for scenarios that a provisioning step would take for text, `{{secret.admin}}` as a password, say. */
export function namesInProvision(yaml: Positioned): Fault[] {
  const known = knownNames(yaml.value)
  return listAt(yaml.value, 'provision').flatMap((step, index) =>
    stepReferences(step)
      .filter(({ name }) => known.includes(name))
      .map(({ name, path }) =>
        yaml.fault(['provision', index, ...path], `{{${name}}} is not filled in here: it is for scenarios`),
      ),
  )
}

/** Every `{{name}}` that scenarios know from the start: the spec's variables and secrets, its own name and version. */
export function knownNames(spec: unknown): string[] {
  const secrets = keysAt(spec, 'secrets').map((name) => `secret.${name}`)
  return [...keysAt(spec, 'variables'), ...secrets, 'name', 'version']
}

/** Variables and secrets that no `{{…}}` could name. */
export function impossibleNames(yaml: Positioned): Fault[] {
  return ['variables', 'secrets'].flatMap((section) =>
    keysAt(yaml.value, section)
      .filter((name) => !/^[A-Za-z_][\w.-]*$/.test(name))
      .map((name) => yaml.fault([section, name], 'a name is of letters, digits, dot, dash and underscore')),
  )
}
