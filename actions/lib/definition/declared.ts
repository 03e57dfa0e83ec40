import type { Place, RubyValue } from './value.ts'

/** One key as it was declared last. */
export interface Declared {
  /** Without the colon: `:a` and `'a'` are one key. */
  readonly name: string
  readonly value: RubyValue
  readonly keyPlace: Place
  readonly valuePlace: Place
  /** Set by the environment (`VEEWEE_MEMORY_SIZE`, `VEEWEE_CPU_COUNT`) instead. */
  readonly overridden?: string
}
