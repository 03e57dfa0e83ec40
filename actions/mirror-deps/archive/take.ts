import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, type Stats } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { Digest, Lock } from '../../lib/lock/lock.ts'
import { promisedBy } from '../../lib/lock/promised.ts'
import type { Log } from '../../lib/log/log.ts'
import { objectPath, packPath } from '../../lib/mirror/store.ts'
import { localFailure } from '../fetch/faults.ts'
import { packHolds } from '../git/sound-packs.ts'
import { named } from './names.ts'
import { Refusals } from './refusals.ts'
import { NoTar, type TarEntry, Truncated, tarEntries } from './tar.ts'
import { complaint, decompressor } from './zstd.ts'

/** What came out of an archive. */
export interface Taken {
  /** SHA-256 of the artefacts that are in the store now. */
  objects: Set<Digest>
  /** The git packs. */
  packs: Set<Digest>
  /** Entries of a store that this lock does not name. */
  unknown: number
  /** Entries that the lock names and whose bytes are others. */
  damaged: number
  /** Why it ended too early, for a person; undefined: it did not. */
  truncated: string | undefined
}

export interface TakeOptions {
  lock: Lock
  store: string
  /** SHA-256 of what the store lacks; the rest is passed over. */
  objects: ReadonlySet<Digest>
  /** Git packs that it lacks. */
  packs: ReadonlySet<Digest>
  /** For what is not whole yet; on the store's file system. */
  scratch: string
  log: Log
  signal: AbortSignal
}

/**
 * Takes from an archive what the store lacks. Nothing in it is believed: each entry is hashed while it is written under
 * a name of our own, and gets its name in the store only when it is what the lock promises.
 *
 * @param file `.tar.zst`
 * @throws ApplianceError `input` for an archive that holds what no archive of a mirror holds, `disk-full`,
 *   `missing-tool`; what was taken before stays
 */
export async function takeFrom(file: string, options: TakeOptions): Promise<Taken> {
  const { log, signal } = options
  const title = basename(file)
  const { size } = await plainFile(file)
  await rm(options.scratch, { recursive: true, force: true })
  const promised = promisedBy(options.lock)
  const bytes = [...promised.objects.values()].reduce((sum, one) => sum + one.size, 0)
  const refusals = new Refusals(title, size, {
    artefacts: promised.objects.size + promised.packs.size,
    bytes,
  })
  const taken: Taken = { objects: new Set(), packs: new Set(), unknown: 0, damaged: 0, truncated: undefined }
  const progress = log.progress(`archive ${title}`, size, 'bytes')
  const stop = new AbortController()
  await using zstd = await decompressor()
  const feeding = pipeline(
    createReadStream(file, { highWaterMark: 1 << 20 }),
    async function* (source: AsyncIterable<Buffer>) {
      for await (const chunk of source) {
        progress.add(chunk.length)
        yield chunk
      }
    },
    zstd.stdin,
    { signal: AbortSignal.any([signal, stop.signal]) },
  )
  // zstd says itself what it could not read; that it hung up says less.
  feeding.catch(() => {})
  try {
    for await (const entry of tarEntries(zstd.stdout as AsyncIterable<Buffer>)) {
      signal.throwIfAborted()
      const name = named(entry.name)
      const expected = name?.kind === 'object' ? promised.objects.get(name.sha256)?.size : undefined
      refusals.judge(entry, expected)
      if (name?.kind === 'object') await takeObject(entry, name.sha256)
      else if (name?.kind === 'pack') await takePack(entry, name.objects)
    }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof NoTar) throw refusals.refused('what is in it is no tar archive')
    if (!(error instanceof Truncated)) throw localFailure(error as Error, title, options.store) ?? error
    await zstd.ended
    const why = complaint(zstd)
    if (/unsupported format|unknown header/i.test(why)) throw refusals.refused('it is not compressed by zstd')
    taken.truncated = why || 'it ends in the middle'
  } finally {
    stop.abort()
    progress.done()
    await rm(options.scratch, { recursive: true, force: true })
  }
  return taken

  async function takeObject(entry: TarEntry, sha256: Digest): Promise<void> {
    if (!promised.objects.has(sha256)) taken.unknown++
    if (!options.objects.has(sha256)) return
    const partial = join(options.scratch, sha256)
    if ((await received(entry, partial)) !== sha256) {
      await rm(partial, { force: true })
      taken.damaged++
      return
    }
    const path = objectPath(options.store, sha256)
    await mkdir(dirname(path), { recursive: true })
    await rename(partial, path)
    taken.objects.add(sha256)
  }

  async function takePack(entry: TarEntry, objects: Digest): Promise<void> {
    const root = promised.packs.get(objects)
    if (root === undefined) taken.unknown++
    if (root === undefined || !options.packs.has(objects)) return
    const partial = join(options.scratch, `${objects}.pack`)
    await received(entry, partial)
    if (!(await packHolds(partial, { objects, root }, options))) {
      await rm(partial, { force: true })
      taken.damaged++
      return
    }
    const pack = packPath(options.store, objects)
    await mkdir(dirname(pack), { recursive: true })
    await rename(partial, pack)
    taken.packs.add(objects)
  }

  /** Writes an entry's content; its SHA-256. */
  async function received(entry: TarEntry, path: string): Promise<Digest> {
    await mkdir(options.scratch, { recursive: true })
    const hash = createHash('sha256')
    async function* hashed(): AsyncGenerator<Buffer> {
      for await (const chunk of entry.body) {
        hash.update(chunk)
        yield chunk
      }
    }
    await pipeline(hashed, createWriteStream(path), { signal })
    return hash.digest('hex')
  }
}

/** @throws ApplianceError `input` for an archive that is not there */
export async function plainFile(file: string): Promise<Stats> {
  const there = await stat(file).catch(() => undefined)
  if (there?.isFile()) return there
  throw new ApplianceError('input', there ? `${file} is no file` : `there is no archive ${file}`, {
    hint: 'Name a file that `appliance mirror-deps --archive` wrote.',
  })
}
