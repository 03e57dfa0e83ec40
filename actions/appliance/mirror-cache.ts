import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../lib/files/digest.ts'
import type { Lock } from '../lib/lock/lock.ts'
import { type CachedFolder, FolderCache, isRelease } from '../lib/runner/cache.ts'
import type { Project } from '../lib/stage/stage.ts'
import type { Door } from './inside.ts'
import { projectOf } from './project.ts'
import { isWhole, keepOnlyLocked } from './restored.ts'

/** Raise it when the store's layout changes. */
export const FORMAT = 'appliance-mirror-1-'

/**
 * Runs the mirror's stage between restoring its store from the Actions cache and saving it there. The stage reads
 * every byte of what was restored; it is saved only after that.
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
  const cache = new FolderCache(log)
  const before = await projectOf(values)
  const exact = before.lock !== undefined && (await restore(before, before.lock))
  const result = await work()
  // The stage may have written the lock.
  const after = await projectOf(values)
  if (after.lock && (!exact || store(after).key !== store(before).key)) await save(after, after.lock)
  return result

  async function restore(project: Project, lock: Lock): Promise<boolean> {
    const wanted = store(project)
    // A runner that keeps its workspace.
    if (await isWhole(wanted.folder, lock)) {
      log.info('cache: not needed, the store is whole')
      return false
    }
    return (await cache.restore(wanted, () => distrust(project, lock))).exact
  }

  async function distrust(project: Project, lock: Lock): Promise<void> {
    const { folder } = store(project)
    // What was known of the files that were there is not known of those that are.
    await rm(join(folder, '..', 'verified.json'), { force: true })
    const { kept, unneeded, foreign } = await keepOnlyLocked(folder, lock, signal)
    log.info(`cache: has ${kept} artefacts of the lock, every byte of which is read now`)
    if (unneeded.length > 0)
      log.info(`cache: ${unneeded.length} artefacts that the lock does not name are taken out`)
    if (foreign.length > 0)
      log.warn(`cache: ${foreign.length} names in it are no mirror’s, and were taken out: ${some(foreign)}`)
  }

  async function save(project: Project, lock: Lock): Promise<void> {
    const made = store(project)
    await cache.save(made, async () => {
      // A runner that keeps its workspace has those of earlier locks, too.
      await keepOnlyLocked(made.folder, lock, signal)
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
  const made = store(project)
  const cache = new FolderCache(log)
  if (await cache.has(made)) return
  const { kept } = await keepOnlyLocked(made.folder, lock, signal)
  if (kept === 0) return
  const { GITHUB_RUN_ID: run = '0', GITHUB_RUN_ATTEMPT: attempt = '1' } = process.env
  log.info(`cache: ${kept} artefacts of the mirror are saved for the next run`)
  await cache.save({ ...made, key: `${made.key}-part-${run}-${attempt}` })
}

function some(names: readonly string[]): string {
  return `${names.slice(0, 5).join(', ')}${names.length > 5 ? ' …' : ''}`
}

/** The name of the entry that has the whole mirror of this lock. */
export function cacheKey({ lock }: Pick<Project, 'lock'>): string {
  return `${FORMAT}${sha256(JSON.stringify(lock ?? null))}`
}

/** The store alone is cached; the tree is made from it. */
function store(project: Project): CachedFolder {
  const folder = join(project.buildDirectory, 'mirror-deps', 'store')
  const key = cacheKey(project)
  return { folder, key, orElse: [`${key}-part-`, FORMAT] }
}
