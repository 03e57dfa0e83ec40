import type { Fault } from './fault.ts'
import { nearest } from './nearest.ts'

/** As many as a message can list. */
const FEW = 10

/** A fault for every word that is not known, with the nearest that is, or all where these are few; `where` it was written: `pack.seal.skip`. */
export function unknownWords(where: string, words: readonly string[], known: readonly string[]): Fault[] {
  return words
    .filter((word) => !known.includes(word))
    .map((word) => {
      const near = nearest(word, known)
      const all = known.length <= FEW ? `; known: ${known.join(', ')}` : ''
      return { message: `${where}: unknown ${word}${near ? `; did you mean ${near}?` : all}` }
    })
}
