import type { Taken } from '../lib/spec/step.ts'
import { valueAt } from './json-subset.ts'
import type { Outcome } from './steps/outcome.ts'

/** The part of an outcome that a step saves: all its value where nothing is said; undefined where it is not there. */
export function takenFrom({ value, headers }: Outcome, what: Taken | undefined): string | undefined {
  if (what === undefined) return value
  if (what.header !== undefined) {
    const found = headers?.[what.header.toLowerCase()]
    return found === undefined ? undefined : [found].flat().join(', ')
  }
  if (value === undefined) return undefined
  if (what.match !== undefined) {
    const found = new RegExp(what.match, 'mu').exec(value)
    return found ? (found[1] ?? found[0]) : undefined
  }
  try {
    const found = valueAt(JSON.parse(value), what.json!)
    return found === undefined ? undefined : typeof found === 'string' ? found : JSON.stringify(found)
  } catch {
    return undefined
  }
}
