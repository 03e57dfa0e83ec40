import { basename, dirname, resolve } from 'node:path'
import type { Declared } from './declared.ts'
import { Evaluator, type Node } from './evaluate.ts'
import { type DefinitionFiles, decode, definitionFiles } from './files.ts'
import { keyNamed } from './keys.ts'
import { parseRuby } from './parser.ts'
import { readRecipe } from './recipe.ts'
import type { Recipe } from './recipe-types.ts'
import { type PlacedFault, SourceText } from './source.ts'
import { leadingInteger } from './string-methods.ts'
import {
  frozenCopy,
  MAX_DEPTH,
  type Place,
  type RubyHash,
  type RubyValue,
  sizeOf,
  toText,
  Unknown,
  unknownIn,
} from './value.ts'
import type { World } from './world.ts'
import { readYaml } from './yaml.ts'

/** A VeeWee definition as it was read. */
export interface Definition {
  /** The folder's name, which is the machine's in VeeWee. */
  readonly name: string
  /** Absolute. */
  readonly folder: string
  /** Keys in the order in which they were first declared, those with a fault left out. */
  readonly declared: ReadonlyMap<string, Declared>
  /** Keys that were declared with a value that cannot be known; `faults` says why. */
  readonly unknown: readonly string[]
  /** What the keys mean, typed and checked; `undefined` when there are faults. */
  readonly recipe: Recipe | undefined
  /** By file, line and column. */
  readonly faults: readonly PlacedFault[]
  readonly warnings: readonly PlacedFault[]
  /** Files that were looked for, there or not, relative to the working directory, sorted. */
  readonly read: readonly string[]
}

export interface ReadOptions {
  /** Faults name files relative to it, and nothing outside it is read. Default: the definition's parent folder. */
  workingDirectory?: string
  /** Only `VEEWEE_MEMORY_SIZE` and `VEEWEE_CPU_COUNT` are looked at. Default: none. */
  environment?: Readonly<Record<string, string | undefined>>
  /** Where files come from; default: the real folder. */
  files?: DefinitionFiles
  /** `bootstrap` needs no ISO, boot sequence or kickstart of the definition. Default: `install`. */
  strategy?: 'install' | 'bootstrap'
}

const MOST_FAULTS = 200
const MOST_FILES = 100
const MOST_VALUES = 50_000
/** Real ones have some 5 KB. Parsers take more than twice as long for what is twice as odd and long. */
const MOST_SOURCE = 64 << 10

/**
 * Reads `definition.rb` and the files it names, and runs nothing.
 *
 * @param folder the definition's, relative to the working directory or absolute
 * @returns always: what is wrong is in `faults`, all of it at once
 */
export function readDefinition(folder: string, options: ReadOptions = {}): Definition {
  const path = resolve(options.workingDirectory ?? '.', folder)
  const root = resolve(options.workingDirectory ?? dirname(path))
  const reading = new Reading(path, options.files ?? definitionFiles(path, root), options)
  return reading.definition()
}

class Reading implements World {
  readonly files: DefinitionFiles
  readonly name: string
  readonly path: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly constants = new Map<string, RubyValue>()
  incomplete = false
  enough = false
  readonly #declared = new Map<string, Declared>()
  readonly #unknown = new Map<string, Unknown>()
  readonly #faults: PlacedFault[] = []
  readonly #warnings: PlacedFault[] = []
  readonly #read = new Set<string>()
  readonly #required = new Set<string>()
  readonly #strategy: 'install' | 'bootstrap'

  constructor(path: string, files: DefinitionFiles, options: ReadOptions) {
    this.path = path
    this.name = basename(path)
    this.environment = options.environment ?? {}
    this.#strategy = options.strategy ?? 'install'
    this.files = {
      shown: files.shown,
      digestOf: files.digestOf,
      read: (file) => {
        this.#read.add(files.shown(file))
        return files.read(file)
      },
      digest: (algorithm, file) => {
        this.#read.add(files.shown(file))
        return files.digest(algorithm, file)
      },
    }
  }

  definition(): Definition {
    const whole = this.#run('definition.rb')
    const nothing = this.#declared.size === 0 && this.#faults.length === 0
    if (whole !== undefined || nothing) {
      const file = this.files.shown('definition.rb')
      const message = whole ?? 'declares nothing: Veewee::Definition.declare({ … }) is expected in it'
      this.report({ file, line: 1, column: 1, message, source: '', from: 1, width: 1 })
      this.lost()
    }
    const unknown = this.#unknown
    this.#settle()
    this.#override()
    const recipe =
      this.#declared.size > 0
        ? readRecipe({ declared: this.#declared, unknown, world: this, strategy: this.#strategy })
        : undefined
    this.#nameUnknown(unknown)
    return {
      name: this.name,
      folder: this.path,
      declared: this.#declared,
      unknown: [...unknown.keys()],
      recipe: this.#faults.length ? undefined : recipe,
      faults: this.#faults.sort(byPlace),
      warnings: this.#warnings.sort(byPlace),
      read: [...this.#read].sort(),
    }
  }

  report(fault: PlacedFault): void {
    if (this.#faults.length < MOST_FAULTS) this.#faults.push(fault)
    this.enough ||= this.#faults.length >= MOST_FAULTS
  }

  warn(fault: PlacedFault): void {
    if (this.#warnings.length < MOST_FAULTS) this.#warnings.push(fault)
    this.enough ||= this.#warnings.length >= MOST_FAULTS
  }

  declare(options: RubyHash, place: Place): void {
    for (const { key, value, keyPlace = place, valuePlace = place } of options.entries()) {
      const name = typeof key === 'string' ? key.replace(/^:/, '') : key && toText(key)
      if (typeof name === 'string' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
        this.#declared.set(name, { name, value, keyPlace, valuePlace })
        continue
      }
      const written = keyPlace.source.excerpt(keyPlace.span)
      this.report(keyPlace.source.fault(keyPlace.span, `${written} cannot be a key: a key is a name`))
    }
  }

  lost(): void {
    this.incomplete = true
  }

  declared(key: string): RubyValue | undefined {
    if (key === 'name') return this.name
    if (key === 'path') return this.path
    const unknown = this.#unknown.get(key)
    if (unknown) return unknown
    const declared = this.#declared.get(key)
    if (declared) return declared.value
    const known = keyNamed(key)
    return known && (known.initial ?? null)
  }

  yaml(path: string, place: Place): RubyValue | undefined {
    const source = this.#source(path)
    if (typeof source !== 'string') {
      const value = readYaml(source, (fault) => this.report(fault))
      if (value === undefined) this.lost()
      return value
    }
    this.lost()
    this.report(place.source.fault(place.span, `${path} ${source}`))
    return undefined
  }

  require(path: string, _place: Place): string | undefined {
    return this.#run(/\.rb$/.test(path) ? path : `${path}.rb`)
  }

  /** A file's text, or what is the matter with it. */
  #source(path: string): SourceText | string {
    const found = this.files.read(path)
    if ('trouble' in found) return found.trouble
    if (found.bytes.length > MOST_SOURCE) return `is larger than ${MOST_SOURCE >> 10} KiB`
    const text = decode(found.bytes)
    return text === undefined ? 'is not text in UTF-8' : new SourceText(this.files.shown(path), text)
  }

  /** Evaluates a Ruby file once; `undefined` when done, else what is the matter with it. */
  #run(path: string): string | undefined {
    const shown = this.files.shown(path)
    if (this.#required.has(shown)) return undefined
    if (this.#required.size >= MOST_FILES) return `is one file too many: more than ${MOST_FILES} were read`
    this.#required.add(shown)
    const source = this.#source(path)
    if (typeof source === 'string') return source
    const parsed = parseRuby(source.text)
    if (!parsed) return 'is nested too deeply to be read'
    const errors = parsed.errors.slice(0, 50)
    const placed = errors.map(({ location, message }) => source.fault(location, `not Ruby: ${message}`))
    for (const error of firstOfEachLine(placed).slice(0, 5)) this.report(error)
    if (errors.length) {
      this.lost()
      return undefined
    }
    const evaluator = new Evaluator(source, this)
    evaluator.assign('?file', path)
    evaluator.assign('?folder', dirname(path))
    try {
      for (const statement of parsed.value.statements.body as unknown as Node[]) evaluator.evaluate(statement)
    } catch (thrown) {
      if (!(thrown instanceof RangeError)) throw thrown
      return 'is nested too deeply to be read'
    }
    return undefined
  }

  /** Values as they are at the end; those that are not known are taken out. */
  #settle(): void {
    for (const [name, declared] of this.#declared) {
      const { source, span } = declared.valuePlace
      const why =
        sizeOf(declared.value, MOST_VALUES) > MOST_VALUES
          ? new Unknown(
              source.fault(span, `${name} has too many values, or is nested more than ${MAX_DEPTH} deep`),
            )
          : unknownIn(declared.value)
      if (!why) this.#declared.set(name, { ...declared, value: frozenCopy(declared.value) })
      else {
        this.#declared.delete(name)
        this.#unknown.set(name, why)
        if (!this.#faults.includes(why.fault)) this.report(why.fault)
      }
    }
  }

  /** VeeWee asked the environment whenever it wanted one of the two. */
  #override(): void {
    for (const [name, variable] of [
      ['memory_size', 'VEEWEE_MEMORY_SIZE'],
      ['cpu_count', 'VEEWEE_CPU_COUNT'],
    ] as const) {
      const value = this.environment[variable]
      if (value === undefined) continue
      const source = new SourceText(variable, value)
      const place = { source, span: { startOffset: 0, length: value.length } }
      const before = this.#declared.get(name)
      this.#declared.set(name, {
        ...(before ?? { name, keyPlace: place }),
        valuePlace: place,
        value: leadingInteger(value),
        overridden: variable,
      })
    }
  }

  /** One fault may leave several keys unknown: it says which. */
  #nameUnknown(unknown: ReadonlyMap<string, Unknown>): void {
    const keys = new Map<PlacedFault, string[]>()
    for (const [name, { fault }] of unknown) keys.set(fault, [...(keys.get(fault) ?? []), name])
    for (const [index, fault] of this.#faults.entries()) {
      const names = keys.get(fault)
      if (names)
        this.#faults[index] = {
          ...fault,
          message: `${fault.message} (${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} not known)`,
        }
    }
  }
}

function firstOfEachLine(faults: readonly PlacedFault[]): PlacedFault[] {
  const lines = new Set<number>()
  return faults.filter(({ line }) => !lines.has(line) && lines.add(line))
}

function byPlace(a: PlacedFault, b: PlacedFault): number {
  return a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column
}
