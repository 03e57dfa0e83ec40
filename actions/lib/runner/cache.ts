import { lstat, rm } from 'node:fs/promises'
import { dirname, isAbsolute, relative, resolve } from 'node:path'
import * as cache from '@actions/cache'
import type { Log } from '../log/log.ts'
import { untilAborted } from './until-aborted.ts'

/** One folder of the workspace that outlives the run. */
export interface CachedFolder {
  /** Absolute; the entry is keyed by its path in the workspace, so that runners with other roots share it. */
  folder: string
  /**
   * Beginnings of keys, best first; of several entries that begin with one, the newest counts. A key has at most 512
   * characters and no comma.
   */
  beginnings: readonly [string, ...string[]]
}

/** The Actions cache during one step. When it fails that is said once, and the step goes on without it. */
export class FolderCache {
  private readonly log: Log
  private readonly signal: AbortSignal
  private down = false

  /** @param signal ends what is under way; what has been restored until then, nobody has looked at */
  constructor(log: Log, signal: AbortSignal) {
    this.log = log
    this.signal = signal
  }

  /**
   * Restores a folder. The service may give back anything at all, even when it says it has nothing: `verify` must
   * walk the folder afterwards and take out whatever the lock does not name.
   *
   * @returns the key of the entry that was restored
   */
  async restore(
    { folder, beginnings }: CachedFolder,
    verify: () => Promise<void>,
  ): Promise<string | undefined> {
    const path = inWorkspace(folder)
    if (path === undefined || !this.available()) return undefined
    const links = await linksAbove(path)
    const [first] = beginnings
    const found = await this.attempt('restoring', () => cache.restoreCache([path], first, [...beginnings]))
    for (const link of await linksAbove(path)) {
      if (links.includes(link)) continue
      this.log.warn(`cache: ${link} came out of it as a link, and was taken out`)
      await rm(link)
    }
    await verify()
    if (!this.down)
      this.log.info(found === undefined ? `cache: nothing for ${first}` : `cache: restored ${found}`)
    return found
  }

  /** Saves a folder under a key, which is never saved to again. @param before done only if it is going to be saved */
  async save(folder: string, key: string, before: () => Promise<void> = async () => {}): Promise<void> {
    const path = inWorkspace(folder)
    if (path === undefined || this.down || !this.available()) return
    await before()
    const id = await this.attempt('saving', () => cache.saveCache([path], key))
    if (this.down || id === undefined) return
    this.log.info(id === -1 ? `cache: not saved, ${key} exists or may not be written` : `cache: saved ${key}`)
  }

  /** The key of the newest entry that begins so. Ask first: to save, the toolkit packs the folder before it asks. */
  async newest(folder: string, beginning: string): Promise<string | undefined> {
    const path = inWorkspace(folder)
    if (path === undefined || this.down || !this.available()) return undefined
    const look = () => cache.restoreCache([path], beginning, [beginning], { lookupOnly: true })
    return await this.attempt('looking', look)
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
      return await untilAborted(this.signal, work)
    } catch (error) {
      this.signal.throwIfAborted()
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
