import { resolve } from 'node:path'
import { type Fault, refuse } from '../errors/fault.ts'
import { nearest } from '../errors/nearest.ts'
import type { InputDeclaration, InputDeclarations, InputValues } from './input.ts'

/** How a declared input is called at the door it came through: `with: disk` in a workflow, `--disk` in a shell. */
type Spelling = (name: string) => string

/**
 * Values from a workflow's `with:`. The runner hands over untyped strings, an empty one for what is not given.
 *
 * @throws InputError with every fault at once
 */
export function parseInputs<const I extends InputDeclarations>(
  declarations: I,
  raw: (name: string) => string,
): InputValues<I> {
  const given = new Map(Object.keys(declarations).map((name) => [name, raw(name).trim()]))
  const faults: Fault[] = []
  const values = readAll(declarations, given, (name) => `input ${name}`, faults)
  refuse(faults)
  return values
}

/**
 * Values from the command line: `--name value`, `--name=value`, `--name` alone for a flag, `--name one two` for names.
 *
 * @param operand the input that may be given without its flag: `appliance lint FILE`
 * @throws InputError with every fault at once; an unknown flag suggests the nearest
 */
export function parseFlags<const I extends InputDeclarations>(
  declarations: I,
  argv: readonly string[],
  operand?: keyof I & string,
): InputValues<I> {
  const given = new Map<string, string>()
  const faults: Fault[] = []
  const words = [...argv]
  while (words.length > 0) {
    const word = words.shift()!
    const [, name, assigned] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? []
    if (name === undefined && operand !== undefined && !given.has(operand)) {
      given.set(operand, word)
      continue
    }
    if (name === undefined) {
      faults.push({ message: `${word}: expected a flag, as in ${exampleOf(declarations)}` })
      continue
    }
    const declaration = declarationOf(declarations, name)
    if (!declaration) {
      faults.push({ message: unknownFlag(name, declarations) })
      // Its value, if it has one, is no fault of its own.
      if (assigned === undefined && words[0] !== undefined && !words[0].startsWith('--')) words.shift()
      continue
    }
    if (given.has(name)) faults.push({ message: `--${name} is given twice` })
    if (assigned !== undefined) given.set(name, assigned)
    else if (declaration.kind === 'flag') given.set(name, 'true')
    else if (declaration.kind === 'names') given.set(name, namesAhead(words) || 'all')
    else if (words[0] === undefined || words[0].startsWith('--')) {
      faults.push({ message: `--${name} needs a value: ${expected(declaration)}` })
      given.set(name, '')
    } else given.set(name, words.shift()!)
  }
  const values = readAll(declarations, given, (name) => `--${name}`, faults)
  refuse(faults)
  return values
}

/** Takes the words up to the next flag. */
function namesAhead(words: string[]): string {
  const end = words.findIndex((word) => word.startsWith('--'))
  return words.splice(0, end < 0 ? words.length : end).join(' ')
}

/** The same values with every path made absolute; paths begin at `directory`. */
export function resolvePaths<const I extends InputDeclarations>(
  declarations: I,
  values: InputValues<I>,
  directory: string,
): InputValues<I> {
  const resolved = Object.entries(values).map(([name, value]) => {
    const isPath = declarationOf(declarations, name)?.kind === 'path'
    return [name, isPath && typeof value === 'string' ? resolve(directory, value) : value]
  })
  return Object.fromEntries(resolved) as InputValues<I>
}

function readAll<I extends InputDeclarations>(
  declarations: I,
  given: ReadonlyMap<string, string>,
  spelling: Spelling,
  faults: Fault[],
): InputValues<I> {
  const values = Object.entries(declarations).map(([name, declaration]) => {
    // A default that is an expression is the runner's to fill in; where it gave nothing, there is nothing.
    const fallback = declaration.default.startsWith('$' + '{{') ? '' : declaration.default
    const word = given.get(name) || fallback
    return [name, readOne(spelling(name), declaration, word, faults)]
  })
  return Object.fromEntries(values) as InputValues<I>
}

function readOne(name: string, declaration: InputDeclaration, word: string, faults: Fault[]): unknown {
  switch (declaration.kind) {
    case 'path':
      if (word.includes('\0')) faults.push({ message: `${name}: a path holds no NUL byte` })
      return word === '' ? undefined : word
    case 'text':
      if (word !== '' && declaration.like && !declaration.like.pattern.test(word))
        faults.push({ message: `${name}: expected ${expected(declaration)}, got ${JSON.stringify(word)}` })
      return word === '' ? undefined : word
    case 'flag':
      if (word !== 'true' && word !== 'false')
        faults.push({ message: `${name}: expected ${expected(declaration)}, got ${JSON.stringify(word)}` })
      return word === 'true'
    case 'names': {
      const list = word.split(/[\s,]+/).filter(Boolean)
      if (list.length === 0 || word === 'false') return undefined
      return list.includes('all') || word === 'true' ? 'all' : list
    }
    case 'choice': {
      const choices = declaration.choices ?? []
      if (!choices.includes(word)) {
        const near = nearest(word, choices)
        const guess = near ? `; did you mean ${near}?` : ''
        faults.push({
          message: `${name}: expected ${expected(declaration)}, got ${JSON.stringify(word)}${guess}`,
        })
      }
      return word
    }
  }
}

function expected({ kind, choices, like }: InputDeclaration): string {
  switch (kind) {
    case 'path':
      return 'a file or folder'
    case 'text':
      return like?.words ?? 'some text'
    case 'flag':
      return 'true or false'
    case 'names':
      return 'names, or all'
    case 'choice':
      return `one of ${(choices ?? []).join(', ')}`
  }
}

function unknownFlag(name: string, declarations: InputDeclarations): string {
  const near = nearest(name, Object.keys(declarations))
  return `there is no flag --${name}${near ? `; did you mean --${near}?` : ''}`
}

function exampleOf(declarations: InputDeclarations): string {
  const [name, declaration] = Object.entries(declarations)[0] ?? []
  if (name === undefined) return '--help'
  return declaration?.kind === 'flag' ? `--${name}` : `--${name} VALUE`
}

/** `constructor` and its like are not declared by anyone. */
function declarationOf(declarations: InputDeclarations, name: string): InputDeclaration | undefined {
  return Object.hasOwn(declarations, name) ? declarations[name] : undefined
}
