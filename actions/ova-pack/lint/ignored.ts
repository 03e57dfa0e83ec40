import type { Fault } from '../../lib/errors/fault.ts'
import { unknownWords } from '../../lib/errors/unknown-words.ts'
import { rules } from './lint.ts'

/** A fault for every id that no rule has; `where` it was written: `pack.lint.ignore`, `--ignore`. */
export function ignoredRuleFaults(where: string, ids: readonly string[]): Fault[] {
  return unknownWords(where, ids, Object.keys(rules))
}
