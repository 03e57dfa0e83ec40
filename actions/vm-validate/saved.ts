import { ApplianceError } from '../lib/errors/error.ts'
import { nearest } from '../lib/errors/nearest.ts'
import type { ScenarioStep } from '../lib/spec/scenario.ts'
import { literalPattern } from '../lib/units/pattern.ts'

const reference = /\{\{\s*([A-Za-z_][\w.-]*)\s*\}\}/g

/**
 * Fills every `{{name}}` in a step's strings, however deep they lie. `$NAME` is left to the guest's shell.
 *
 * @throws ApplianceError `input` naming what is not known, with what is
 */
export function fill<T>(value: T, values: ReadonlyMap<string, string>): T {
  if (typeof value === 'string')
    return value.replace(reference, (_, name: string) => {
      const found = values.get(name)
      if (found !== undefined) return found
      const near = nearest(name, values.keys())
      throw new ApplianceError(
        'input',
        `{{${name}}} has no value here${near ? `; did you mean {{${near}}}?` : ''}`,
        { hint: 'A value is known after the step that saves it, in the same scenario.' },
      )
    }) as T
  if (Array.isArray(value)) return value.map((entry) => fill(entry, values)) as T
  if (isPlain(value))
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, fill(entry, values)])) as T
  return value
}

/** Where a step holds regular expressions. */
const patterns: readonly string[] = [
  ...['stdout', 'stderr', 'expect.body', 'contains', 'version', 'has', 'lacks', 'allow'],
  ...['cron.command', 'port.answer'],
]
/** What a step says about itself. */
const labels: readonly string[] = ['kind', 'name', 'save', 'tags', 'line']
/** Other steps: they are filled in when their turn comes. */
const inner: readonly string[] = ['steps']

/** A step with its values in place; inside a regular expression a value stands for itself. */
export function fillStep<S extends ScenarioStep>(step: S, values: ReadonlyMap<string, string>): S {
  const literal = new Map([...values].map(([name, value]) => [name, literalPattern(value)]))
  const filled = (key: string, value: unknown): unknown => {
    if (labels.includes(key) || inner.includes(key)) return value
    if (key === 'expect' && isPlain(value))
      return eachKey(value, (inner) => filled(`expect.${inner}`, value[inner]))
    const isPattern = patterns.includes(key) || patterns.includes(`${step.kind}.${key}`)
    return fill(value, isPattern ? literal : values)
  }
  const given: Record<string, unknown> = { ...step }
  return eachKey(given, (key) => filled(key, given[key])) as S
}

function eachKey(object: Record<string, unknown>, value: (key: string) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.keys(object).map((key) => [key, value(key)]))
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
