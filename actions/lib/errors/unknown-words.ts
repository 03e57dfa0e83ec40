import type { Fault } from './fault.ts'
import { nearest } from './nearest.ts'

/** A fault for every word that is not known, with the nearest that is; `where` it was written: `pack.seal.skip`. */
export function unknownWords(where: string, words: readonly string[], known: readonly string[]): Fault[] {
  return words
    .filter((word) => !known.includes(word))
    .map((word) => {
      const near = nearest(word, known)
      return { message: `${where}: unknown ${word}${near ? `; did you mean ${near}?` : ''}` }
    })
}
