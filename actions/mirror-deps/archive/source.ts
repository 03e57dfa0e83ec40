import { rm, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { Digest, Lock, LockedArchive } from '../../lib/lock/lock.ts'
import { promisedBy } from '../../lib/lock/promised.ts'
import { packPath } from '../../lib/mirror/store.ts'
import type { StageWork } from '../../lib/stage/stage.ts'
import { download } from '../fetch/download.ts'
import { type LockedWanted, partialsOf } from '../fetch/fetch.ts'
import type { Ledger } from '../fetch/ledger.ts'
import { mirrorPaths } from '../paths.ts'
import { plainFile, type Taken, takeFrom } from './take.ts'

type Work = Pick<StageWork, 'log' | 'signal' | 'outDirectory' | 'project'>

/** Where the archive of a lock waits until what is in it is in the store. */
function folderOf({ outDirectory }: Pick<Work, 'outDirectory'>): string {
  return join(outDirectory, 'archive')
}

/**
 * What stands between the store and upstream: a file that the user names, or the archive that the lock names, by its
 * address and digest. It is looked at only when something is lacking.
 */
export class ArchiveSource {
  /** Git packs that came out of it. */
  readonly packs = new Set<Digest>()
  private readonly lock: Lock
  private readonly work: Work
  private readonly ledger: Ledger
  /** Absolute, or an address. */
  private readonly from: string | LockedArchive
  /** The user asked for it: that it cannot be had is an error. */
  private readonly demanded: boolean

  private constructor(
    lock: Lock,
    work: Work,
    ledger: Ledger,
    from: ArchiveSource['from'],
    demanded: boolean,
  ) {
    this.lock = lock
    this.work = work
    this.ledger = ledger
    this.from = from
    this.demanded = demanded
  }

  /**
   * @param given a file, relative to the working directory, or the address that the lock names
   * @throws ApplianceError `input` for a file that is not there, or an address whose digest nobody knows
   */
  static async of(
    given: string | undefined,
    lock: Lock,
    work: Work,
    ledger: Ledger,
  ): Promise<ArchiveSource | undefined> {
    if (given === undefined) return lock.archive && new ArchiveSource(lock, work, ledger, lock.archive, false)
    if (/^[a-z]+:\/\//.test(given)) {
      if (lock.archive?.url !== given) throw unlocked(given, lock.archive)
      return new ArchiveSource(lock, work, ledger, lock.archive, true)
    }
    const file = resolve(work.project.directory, given)
    await plainFile(file)
    return new ArchiveSource(lock, work, ledger, file, true)
  }

  /** Brings what it has into the store; see `FetchOptions.archive`. */
  async take(absent: readonly LockedWanted[]): Promise<ReadonlySet<Digest>> {
    const { lock, work } = this
    const { store } = mirrorPaths(work)
    const packs = await missingPacks(lock, store)
    if (absent.length === 0 && packs.size === 0) return new Set()
    const file = await this.file(store)
    if (file === undefined) return new Set()
    const objects = new Set(absent.map(({ sha256 }) => sha256))
    const scratch = join(partialsOf(store), 'archive')
    const taken = await takeFrom(file, { ...work, lock, store, objects, packs, scratch })
    for (const pack of taken.packs) this.packs.add(pack)
    this.tell(basename(file), taken, absent, packs.size)
    return taken.objects
  }

  /** What was downloaded of it is not needed any more once the mirror is whole. */
  static async clear(work: Work): Promise<void> {
    await rm(folderOf(work), { recursive: true, force: true })
  }

  /** undefined: it cannot be had, which was said. */
  private async file(store: string): Promise<string | undefined> {
    if (typeof this.from === 'string') return this.from
    const { log, signal } = this.work
    const { url, sha256, size } = this.from
    const title = `archive ${basename(new URL(url).pathname)}`
    const progress = log.progress(title, size, 'bytes')
    try {
      const file = placeOf(this.from, this.work)
      if (await isWhole(file, size)) return file
      const wanted = { title, urls: [url], sha256, size }
      const onBytes = (bytes: number, moved: number) => progress.add(bytes, moved)
      const options = { signal, partials: partialsOf(store), onBytes }
      const { transferred } = await download(wanted, file, options)
      this.ledger.note('archive', { sha256, size }, 'downloaded', transferred)
      return file
    } catch (error) {
      const lost = ['gone', 'unreachable', 'digest-mismatch']
      if (this.demanded || !(error instanceof ApplianceError) || !lost.includes(error.code)) throw error
      log.warn(`${error.message}; going upstream instead`)
      return undefined
    } finally {
      progress.done()
    }
  }

  private tell(title: string, taken: Taken, absent: readonly LockedWanted[], packs: number): void {
    const { log } = this.work
    const { objects, unknown, damaged, truncated } = taken
    const gave = objects.size + taken.packs.size
    log.info(`archive ${title}: gave ${gave} of the ${absent.length + packs} artefacts that were lacking`)
    if (unknown > 0) log.info(`archive ${title}: passed over ${unknown} entries that this lock does not name`)
    if (damaged > 0)
      log.warn(
        `archive ${title}: ${damaged === 1 ? 'an entry has' : `${damaged} entries have`} other bytes than the lock promises`,
      )
    if (truncated !== undefined)
      log.warn(`archive ${title} is cut off or damaged (${truncated}); what it gave until then is kept`)
    const rest = absent.filter(({ sha256 }) => !objects.has(sha256)).map((one) => one.title)
    if (packs > taken.packs.size) rest.push(`git repositories (${packs - taken.packs.size})`)
    const some = `${rest.slice(0, 5).join(', ')}${rest.length > 5 ? ' …' : ''}`
    if (rest.length > 0) log.info(`archive ${title}: upstream is asked for ${some}`)
  }
}

/** What the lock says of the archive at an address: its digest and size, of what is there now. It stays for the fetch. */
export async function lockArchive(url: string, { log, signal, outDirectory }: Work): Promise<LockedArchive> {
  const title = `archive ${basename(new URL(url).pathname)}`
  const progress = log.progress(title, 0, 'bytes')
  try {
    const { store } = mirrorPaths({ outDirectory })
    const onBytes = (bytes: number, moved: number) => progress.add(bytes, moved)
    const options = { signal, partials: partialsOf(store), onBytes }
    const place = (sha256: Digest) => placeOf({ sha256 }, { outDirectory })
    const { sha256, size } = await download({ title, urls: [url] }, place, options)
    log.info(`${title}: locked as it is now, sha256 ${sha256}`)
    return { url, sha256, size }
  } finally {
    progress.done()
  }
}

function placeOf({ sha256 }: { sha256: Digest }, work: Pick<Work, 'outDirectory'>): string {
  return join(folderOf(work), `${sha256}.tar.zst`)
}

async function isWhole(file: string, size: number): Promise<boolean> {
  // It had its name only when it was right, and whatever is taken from it is hashed anyway.
  return (await stat(file).catch(() => undefined))?.size === size
}

async function missingPacks(lock: Lock, store: string): Promise<Set<Digest>> {
  const missing = new Set<Digest>()
  for (const objects of promisedBy(lock).packs.keys())
    if (!(await stat(packPath(store, objects)).catch(() => undefined))) missing.add(objects)
  return missing
}

function unlocked(given: string, locked: LockedArchive | undefined): ApplianceError {
  return new ApplianceError(
    'input',
    `the lock has no digest for the archive ${given}${locked ? `; it names ${locked.url}` : ''}`,
    {
      hint: 'Write `archive:` with that address under `mirror:` in the spec and run `appliance lock`, or download it and give the file.',
    },
  )
}
