import { isAbsolute, relative } from 'node:path'
import * as cache from '@actions/cache'
import type { Log } from '../log/log.ts'

/** One folder of the workspace that outlives the run. */
export interface CachedFolder {
  /** Absolute; the entry is keyed by its path in the workspace, so that runners with other roots share it. */
  folder: string
  /** What the folder holds, e.g. `appliance-mirror-1-<digest>`: at most 512 characters, no comma. */
  key: string
  /** Beginnings of keys whose entries are better than nothing. */
  orElse: readonly string[]
}

export interface Restored {
  /** The key of the entry that was restored; undefined when there was none. */
  key: string | undefined
  exact: boolean
}

/**
 * Restores a folder. The service may give back anything at all, even when it says it has nothing: `verify` must
 * walk the folder afterwards and take out whatever the lock does not name. Failures of the service cost time, never
 * the build.
 */
export async function restoreFolder(
  { folder, key, orElse }: CachedFolder,
  log: Log,
  verify: (folder: string) => Promise<void>,
): Promise<Restored> {
  const path = inWorkspace(folder)
  if (path === undefined || !available(log)) return { key: undefined, exact: false }
  const found = await attempt(log, 'restoring', () => cache.restoreCache([path], key, [...orElse]))
  await verify(folder)
  log.info(found === undefined ? `cache: nothing for ${key}` : `cache: restored ${found}`)
  return { key: found, exact: found === key }
}

/** Saves a folder under its key. An entry that exists already is as good as ours: it was made from the same lock. */
export async function saveFolder({ folder, key }: CachedFolder, log: Log): Promise<void> {
  const path = inWorkspace(folder)
  if (path === undefined || !available(log)) return
  // Asked first, because the toolkit packs the whole folder before it asks.
  const there = await attempt(log, 'looking', () => cache.restoreCache([path], key, [], { lookupOnly: true }))
  if (there === key) return log.info(`cache: ${key} exists already`)
  const id = await attempt(log, 'saving', () => cache.saveCache([path], key))
  if (id !== undefined)
    log.info(id === -1 ? `cache: not saved, ${key} exists or may not be written` : `cache: saved ${key}`)
}

/**
 * Whether this run may use the cache. A release takes nothing from it: the toolkit unpacks absolute paths and links
 * before anyone can look at them, and any run on the default branch can write entries.
 */
export function isRelease(env: NodeJS.ProcessEnv = process.env): boolean {
  return env.GITHUB_REF_TYPE === 'tag' || env.GITHUB_EVENT_NAME === 'release'
}

function available(log: Log): boolean {
  if (cache.isFeatureAvailable()) return true
  log.info('cache: this runner has none')
  return false
}

/** The toolkit archives relative to the workspace; a folder outside of it cannot be cached. */
function inWorkspace(folder: string): string | undefined {
  const path = relative(process.env.GITHUB_WORKSPACE ?? process.cwd(), folder)
  return path === '' || path.startsWith('..') || isAbsolute(path) ? undefined : path
}

async function attempt<T>(log: Log, doing: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    log.warn(
      `cache: ${doing} failed, going on without: ${error instanceof Error ? error.message : String(error)}`,
    )
    return undefined
  }
}
