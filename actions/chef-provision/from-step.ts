import { InputError } from '../lib/errors/fault.ts'
import { nearest } from '../lib/errors/nearest.ts'

/**
 * The position of a step that a person named, by its title or number.
 *
 * @throws InputError
 */
export function positionOf(word: string | undefined, titles: readonly string[]): number | undefined {
  if (word === undefined) return undefined
  const index = titles.indexOf(word)
  if (index >= 0) return index + 1
  const number = Number(word)
  if (Number.isInteger(number) && number >= 1 && number <= titles.length) return number
  const near = nearest(word, titles)
  const listed = titles.map((title, position) => `${position + 1} ${title}`).join(', ')
  throw new InputError([
    {
      message: `there is no step ${word}${near ? `; did you mean ${near}?` : ''} (there are: ${listed || 'none'})`,
    },
  ])
}
