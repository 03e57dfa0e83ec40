import { lstat, rm } from 'node:fs/promises'
import { dirname, isAbsolute, relative, resolve } from 'node:path'
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

/** The Actions cache during one step. When it fails that is said once, and the step goes on without it. */
export class FolderCache {
  private readonly log: Log
  private down = false

  constructor(log: Log) {
    this.log = log
  }

  /**
   * Restores a folder. The service may give back anything at all, even when it says it has nothing: `verify` must
   * walk the folder afterwards and take out whatever the lock does not name.
   */
  async restore({ folder, key, orElse }: CachedFolder, verify: () => Promise<void>): Promise<Restored> {
    const path = inWorkspace(folder)
    if (path === undefined || !this.available()) return { key: undefined, exact: false }
    const links = await linksAbove(path)
    const found = await this.attempt('restoring', () => cache.restoreCache([path], key, [...orElse]))
    for (const link of await linksAbove(path)) {
      if (links.includes(link)) continue
      this.log.warn(`cache: ${link} came out of it as a link, and was taken out`)
      await rm(link)
    }
    await verify()
    if (!this.down)
      this.log.info(found === undefined ? `cache: nothing for ${key}` : `cache: restored ${found}`)
    return { key: found, exact: found === key }
  }

  /**
   * Saves a folder under its key. An entry that exists already is as good as ours: it was made from the same lock.
   *
   * @param before done only if it is going to be saved
   */
  async save(
    { folder, key }: Pick<CachedFolder, 'folder' | 'key'>,
    before: () => Promise<void> = async () => {},
  ): Promise<void> {
    const path = inWorkspace(folder)
    if (path === undefined || this.down || !this.available()) return
    // Asked first, because the toolkit packs the whole folder before it asks.
    if (await this.has({ folder, key })) return this.log.info(`cache: ${key} exists already`)
    if (this.down) return
    await before()
    const id = await this.attempt('saving', () => cache.saveCache([path], key))
    if (this.down || id === undefined) return
    this.log.info(id === -1 ? `cache: not saved, ${key} exists or may not be written` : `cache: saved ${key}`)
  }

  /** Whether there is an entry of exactly this key. */
  async has({ folder, key }: Pick<CachedFolder, 'folder' | 'key'>): Promise<boolean> {
    const path = inWorkspace(folder)
    if (path === undefined || this.down || !this.available()) return false
    const look = () => cache.restoreCache([path], key, [], { lookupOnly: true })
    return (await this.attempt('looking', look)) === key
  }

  private available(): boolean {
    if (cache.isFeatureAvailable()) return true
    if (!this.down) this.log.info('cache: this runner has none')
    this.down = true
    return false
  }

  /** Most failures the toolkit does not throw, it makes an annotation of its own for each. */
  private async attempt<T>(doing: string, work: () => Promise<T>): Promise<T | undefined> {
    const complaints: string[] = []
    const write = process.stdout.write
    process.stdout.write = ((chunk: unknown, ...rest: []) => {
      const said = /^::(?:warning|error)::(?:Failed to \w+|(Cache reservation) failed): (.*)/.exec(
        String(chunk),
      )
      if (!said) return write.call(process.stdout, chunk as string, ...rest)
      // Another job was quicker to save the same.
      if (said[1] === undefined) complaints.push(said[2]!)
      return true
    }) as typeof write
    try {
      return await work()
    } catch (error) {
      complaints.push(error instanceof Error ? error.message : String(error))
      return undefined
    } finally {
      process.stdout.write = write
      if (complaints.length > 0) {
        this.down = true
        this.log.warn(`cache: ${doing} failed, going on without: ${complaints[0]!.split('%0A')[0]}`)
      }
    }
  }
}

/**
 * Whether this run may use the cache. A release takes nothing from it: the toolkit unpacks absolute paths and links
 * before anyone can look at them, and any run on the default branch can write entries.
 */
export function isRelease(env: NodeJS.ProcessEnv = process.env): boolean {
  return env.GITHUB_REF_TYPE === 'tag' || env.GITHUB_EVENT_NAME === 'release'
}

function workspace(): string {
  return process.env.GITHUB_WORKSPACE ?? process.cwd()
}

/** The toolkit archives relative to the workspace; a folder outside of it cannot be cached. */
function inWorkspace(folder: string): string | undefined {
  const path = relative(workspace(), folder)
  return path === '' || path.startsWith('..') || isAbsolute(path) ? undefined : path
}

/** The links on the way from the workspace down to a folder in it. */
async function linksAbove(path: string): Promise<string[]> {
  const links: string[] = []
  for (let above = dirname(path); above !== '.'; above = dirname(above)) {
    const absolute = resolve(workspace(), above)
    if ((await lstat(absolute).catch(() => undefined))?.isSymbolicLink()) links.push(absolute)
  }
  return links
}
