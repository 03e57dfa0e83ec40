import type { DefinitionFiles } from './files.ts'
import type { PlacedFault } from './source.ts'
import type { Place, RubyHash, RubyValue } from './value.ts'

/** What a program meets while it is evaluated: the definition it declares, the files it names, where faults go. */
export interface World {
  readonly files: DefinitionFiles
  /** The folder's name and its absolute path: VeeWee's locals `name` and `path`. */
  readonly name: string
  readonly path: string
  /** `VEEWEE_MEMORY_SIZE` and `VEEWEE_CPU_COUNT`, if set. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly constants: Map<string, RubyValue>
  report(fault: PlacedFault): void
  /** Whether so many faults or warnings were reported that more would help nobody. */
  readonly enough: boolean
  warn(fault: PlacedFault): void
  /** Merges keys into the definition. */
  declare(options: RubyHash, place: Place): void
  /** Says that keys may be missing, because what declares them could not be read. */
  lost(): void
  /** Whether that was said. */
  readonly incomplete: boolean
  /** What `definition.KEY` gives: declared, VeeWee's default, or `undefined` for what is no key. */
  declared(key: string): RubyValue | undefined
  /** The values of a YAML file, as Psych would load it; faults are reported and give `undefined`. */
  yaml(path: string, place: Place): RubyValue | undefined
  /** Evaluates another Ruby file of the definition; `undefined` when done, else why it could not be. */
  require(path: string, place: Place): string | undefined
}
