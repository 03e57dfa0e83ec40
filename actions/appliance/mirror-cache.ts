import { join } from 'node:path'
import { sha256 } from '../lib/files/digest.ts'
import type { Lock } from '../lib/lock/lock.ts'
import { type CachedFolder, isRelease, restoreFolder, saveFolder } from '../lib/runner/cache.ts'
import type { Project } from '../lib/stage/stage.ts'
import type { Door } from './inside.ts'
import { projectOf } from './project.ts'
import { isWhole, keepOnlyLocked } from './restored.ts'

/** Raise it when the store's layout changes. */
const FORMAT = 'appliance-mirror-1-'

/** Runs the mirror's stage between restoring its store from the Actions cache and saving it there. */
export async function withMirrorCache<T>(
  values: Record<string, unknown>,
  { log, signal }: Door,
  work: () => Promise<T>,
): Promise<T> {
  if (isRelease()) {
    log.info('cache: a release takes nothing from it')
    return await work()
  }
  const before = await projectOf(values)
  const exact = before.lock !== undefined && (await restore(before, before.lock))
  const result = await work()
  // The stage may have written the lock.
  const after = store(await projectOf(values))
  if (!exact || after.key !== store(before).key) await saveFolder(after, log)
  return result

  async function restore(project: Project, lock: Lock): Promise<boolean> {
    const wanted = store(project)
    // A runner that keeps its workspace.
    if (await isWhole(wanted.folder, lock)) {
      log.info('cache: not needed, the store is whole')
      return false
    }
    return (await restoreFolder(wanted, log, (folder) => distrust(folder, lock))).exact
  }

  async function distrust(folder: string, lock: Lock): Promise<void> {
    const { kept, removed } = await keepOnlyLocked(folder, lock, signal)
    log.info(`cache: ${kept} artefacts are those of the lock`)
    if (removed.length > 0)
      log.warn(`cache: ${removed.length} files in it are not, and were taken out: ${some(removed)}`)
  }
}

function some(names: readonly string[]): string {
  return `${names.slice(0, 5).join(', ')}${names.length > 5 ? ' …' : ''}`
}

/** The store alone is cached; the tree is made from it. */
function store({ buildDirectory, lock }: Project): CachedFolder {
  const folder = join(buildDirectory, 'mirror-deps', 'store')
  return { folder, key: `${FORMAT}${sha256(JSON.stringify(lock ?? null))}`, orElse: [FORMAT] }
}
