import type { Fault } from '../../lib/errors/fault.ts'
import { nearest } from '../../lib/errors/nearest.ts'
import { rules } from './lint.ts'

/** A fault for every id that no rule has; `where` it was written: `pack.lint.ignore`, `--ignore`. */
export function ignoredRuleFaults(where: string, ids: readonly string[]): Fault[] {
  return unknownWords(where, ids, Object.keys(rules))
}

export function unknownWords(where: string, words: readonly string[], known: readonly string[]): Fault[] {
  return words
    .filter((word) => !known.includes(word))
    .map((word) => {
      const near = nearest(word, known)
      return { message: `${where}: unknown ${word}${near ? `; did you mean ${near}?` : ''}` }
    })
}
