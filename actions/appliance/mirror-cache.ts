import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../lib/files/digest.ts'
import type { Lock } from '../lib/lock/lock.ts'
import { FolderCache, isRelease } from '../lib/runner/cache.ts'
import type { Project } from '../lib/stage/stage.ts'
import type { Door } from './inside.ts'
import { projectOf } from './project.ts'
import { artefactsIn, isWhole, keepOnlyLocked } from './restored.ts'

/** Raise it when the store's layout changes. */
const FORMAT = 'appliance-mirror-2-'

/**
 * Runs the mirror's stage between restoring its store from the Actions cache and saving it there. The stage reads
 * every byte of what was restored; it is saved only after that. An entry can never be changed: where the stage had to
 * mend what one gave, the mended store is saved as the next of its number, which is restored from then on.
 */
export async function withMirrorCache<T>(
  values: Record<string, unknown>,
  { log, signal }: Door,
  work: () => Promise<T>,
): Promise<T> {
  if (isRelease()) {
    log.info('cache: a release takes nothing from it')
    return await work()
  }
  const cache = new FolderCache(log, signal)
  const before = await projectOf(values)
  const restored = before.lock && (await restore(before, before.lock))
  const result = await work()
  // The stage may have written the lock.
  const after = await projectOf(values)
  if (after.lock) await save(after, after.lock)
  return result

  async function restore(project: Project, lock: Lock) {
    const folder = storeOf(project)
    const { whole, part, own } = cacheKeys(project)
    // A runner that keeps its workspace.
    if (await isWhole(folder, lock)) return void log.info('cache: not needed, the store is whole')
    // What was known of the files that were there is not known of those that are, even if this is cut short.
    await rm(join(folder, '..', 'verified.json'), { force: true })
    let foreign = 0
    const key = await cache.restore({ folder, beginnings: [whole, part, own] }, async () => {
      foreign = await distrust(project, lock)
    })
    return { key, foreign, gave: await artefactsIn(folder, lock) }
  }

  /** @returns how many names in it are no mirror's */
  async function distrust(project: Project, lock: Lock): Promise<number> {
    const { kept, unneeded, foreign } = await keepOnlyLocked(storeOf(project), lock, signal)
    log.info(`cache: has ${kept} artefacts of the lock, every byte of which is read now`)
    if (unneeded.length > 0)
      log.info(`cache: ${unneeded.length} artefacts that the lock does not name are taken out`)
    if (foreign.length > 0)
      log.warn(`cache: ${foreign.length} names in it are no mirror’s, and were taken out: ${some(foreign)}`)
    return foreign.length
  }

  async function save(project: Project, lock: Lock): Promise<void> {
    const folder = storeOf(project)
    const { whole } = cacheKeys(project)
    const now = await artefactsIn(folder, lock)
    // A spec that needs nothing: the toolkit refuses to save what is not there.
    if (now.size === 0) return
    const number = numberOf(restored?.key, whole)
    if (restored && number !== undefined) {
      const mended = [...now].filter(([path, state]) => restored.gave.get(path) !== state).length
      if (mended + restored.foreign === 0) return
      log.info(`cache: what ${restored.key} has is damaged, or not all; the mended mirror takes its place`)
    } else {
      const there = await cache.newest(folder, whole)
      if (there !== undefined) return log.info(`cache: ${there} exists already`)
    }
    await cache.save(folder, `${whole}${(number ?? 0) + 1}`, async () => {
      // A runner that keeps its workspace has those of earlier locks, too.
      await keepOnlyLocked(folder, lock, signal)
    })
  }
}

/**
 * After a run that did not come to its end: what it has of the mirror, under a name that no complete one has. Runs
 * that follow find it by the beginning of the name, and fetch the rest.
 */
export async function savePartialMirror(project: Project, { log, signal }: Door): Promise<void> {
  const { lock } = project
  if (isRelease() || !lock) return
  const folder = storeOf(project)
  const { whole, part } = cacheKeys(project)
  const cache = new FolderCache(log, signal)
  // It may have been cancelled in the middle of restoring, and nobody has looked at what that gave.
  const { kept } = await keepOnlyLocked(folder, lock, signal)
  if (kept === 0 || (await cache.newest(folder, whole)) !== undefined) return
  const { GITHUB_RUN_ID: run = '0', GITHUB_RUN_ATTEMPT: attempt = '1' } = process.env
  log.info(`cache: ${kept} artefacts of the mirror are saved for the next run`)
  await cache.save(folder, `${part}${run}-${attempt}`)
}

function some(names: readonly string[]): string {
  return `${names.slice(0, 5).join(', ')}${names.length > 5 ? ' …' : ''}`
}

/** How the names of an appliance's entries begin. No name of an appliance has a dot: none begins another's. */
export function cacheKeys({ spec, lock }: Pick<Project, 'spec' | 'lock'>) {
  const own = `${FORMAT}${spec.name}.`
  const digest = sha256(JSON.stringify(lock ?? null))
  return {
    /** Every entry of this appliance, whatever its lock. */
    own,
    /** Those with the whole mirror of this lock; a number follows, and the highest counts. */
    whole: `${own}${digest}-`,
    /** Those that runs which did not come to their end left. */
    part: `${own}part-${digest}-`,
  }
}

/** The number of an entry that has a whole mirror; undefined for any other. */
export function numberOf(key: string | undefined, whole: string): number | undefined {
  return key?.startsWith(whole) ? Number(key.slice(whole.length)) : undefined
}

/** The store alone is cached; the tree is made from it. */
function storeOf({ buildDirectory }: Project): string {
  return join(buildDirectory, 'mirror-deps', 'store')
}
