import type { Lock } from '../lib/lock/lock.ts'
import type { StageWork } from '../lib/stage/stage.ts'
import type { Attempts } from './attempts.ts'
import type { Ledger } from './fetch/ledger.ts'
import type { MirrorPaths } from './paths.ts'

/** What the resolving of each kind of source is given. */
export interface Resolver {
  readonly work: StageWork
  readonly paths: MirrorPaths
  /** The lock so far. */
  readonly there: Lock | undefined
  /** Whether a part of the lock (`deb debian`, `tools`; see lockParts) is to stay as it is. */
  stays(part: string): boolean
  /** Whether the user asked for a source (or `tools`) to be resolved again, by its name. */
  asked(name: string): boolean
  /** Told of every artefact. */
  readonly ledger: Ledger
  /** What has failed so far, while other sources are still tried. */
  readonly attempts: Attempts
}

/** What one part of the lock answers may change alone: each source by its own, all others stay. Without those that fail. */
export async function eachSource<E extends { name: string }, L extends { name: string }>(
  kind: string,
  entries: readonly E[],
  locked: readonly L[],
  resolver: Resolver,
  lock: (entry: E) => Promise<L>,
): Promise<L[]> {
  const sources: L[] = []
  for (const entry of entries) {
    const there = resolver.stays(`${kind} ${entry.name}`)
      ? locked.find(({ name }) => name === entry.name)
      : undefined
    const source = there ?? (await resolver.attempts.of(() => lock(entry)))
    if (source) sources.push(source)
  }
  return sources
}
