import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { ApplianceError } from '../../lib/errors/error.ts'
import { BLOCK, padded, ustarHeader } from '../../lib/files/ustar.ts'
import type { Digest, Lock } from '../../lib/lock/lock.ts'
import { promisedBy } from '../../lib/lock/promised.ts'
import { lockText } from '../../lib/lock/text.ts'
import type { Log } from '../../lib/log/log.ts'
import { formatSize } from '../../lib/units/size.ts'
import { localFailure } from '../fetch/faults.ts'
import { LOCK_NAME, objectName, packName, placeOf } from './names.ts'
import { compressor, failed } from './zstd.ts'

export interface WrittenArchive {
  sha256: Digest
  /** Bytes. */
  size: number
  artefacts: number
  /** Evidence that upstream had lost before it could be kept. */
  lost: number
}

export interface WriteOptions {
  store: string
  log: Log
  signal: AbortSignal
}

interface Entry {
  name: string
  size: number
  /** Of its content; undefined: not known in advance. */
  sha256?: Digest
}

/**
 * Writes everything that the lock names, and the lock itself (without the archive that it may name), from the store
 * into one file, which appears only whole. The bytes depend on the store's and on the version of zstd alone: sorted
 * names, no owner, no clock. Every artefact is hashed on its way.
 *
 * @throws ApplianceError `digest-mismatch` when the store holds other bytes than locked, `disk-full`, `missing-tool`
 */
export async function writeArchive(lock: Lock, file: string, options: WriteOptions): Promise<WrittenArchive> {
  const { log, signal, store } = options
  const { entries, lost } = await entriesOf(lock, store)
  const first = Buffer.from(lockText(withoutArchive(lock)))
  const total = entries.reduce((sum, { size }) => sum + size, 0)
  const partial = join(dirname(file), `.${basename(file)}.partial`)
  const progress = log.progress(`archive ${basename(file)}`, total, 'bytes')
  const hash = createHash('sha256')
  let size = 0
  async function* tar(): AsyncGenerator<Buffer> {
    yield* [header(LOCK_NAME, first.length), first, padding(first.length)]
    for (const entry of entries) {
      yield header(entry.name, entry.size)
      for await (const chunk of contentOf(entry, store, signal)) {
        progress.add(chunk.length)
        yield chunk
      }
      yield padding(entry.size)
    }
    yield Buffer.alloc(2 * BLOCK)
  }
  async function* counted(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      hash.update(chunk)
      size += chunk.length
      yield chunk
    }
  }
  try {
    await mkdir(dirname(file), { recursive: true })
    await using zstd = await compressor()
    const [into, out] = await Promise.allSettled([
      pipeline(tar, zstd.stdin, { signal }),
      pipeline(zstd.stdout, counted, createWriteStream(partial), { signal }),
    ])
    signal.throwIfAborted()
    // A full disk shows at both ends; the cause is the one that counts.
    if (out.status === 'rejected') throw out.reason
    const status = into.status === 'rejected' && !isBrokenPipe(into.reason) ? 0 : await zstd.ended
    if (status !== 0) throw failed(zstd, status)
    if (into.status === 'rejected') throw into.reason
    await flushed(partial)
    await rename(partial, file)
  } catch (error) {
    await rm(partial, { force: true })
    throw localFailure(error as Error, `archive ${basename(file)}`, dirname(file)) ?? unwritable(file, error)
  } finally {
    progress.done()
  }
  return { sha256: hash.digest('hex'), size, artefacts: entries.length, lost }
}

/** That a lock names an archive makes it no other archive. */
function withoutArchive({ archive: _, ...lock }: Lock): Lock {
  const { archive: __, ...parts } = lock.for
  return { ...lock, for: parts }
}

/** Says what was written, as `sha256sum` would. */
export function reportArchive(file: string, written: WrittenArchive, log: Log): void {
  const { sha256, size, artefacts, lost } = written
  log.info(`archive ${basename(file)}: ${artefacts} artefacts, ${formatSize(size)} (${size} bytes)`)
  log.info(`${sha256}  ${file}`)
  if (lost > 0) log.warn(`archive ${basename(file)}: without ${lost} signed indexes, which upstream had lost`)
}

/** In the order of their names. */
async function entriesOf(lock: Lock, store: string): Promise<{ entries: Entry[]; lost: number }> {
  const promised = promisedBy(lock)
  const entries: Entry[] = []
  let lost = 0
  for (const { sha256, size, evidence } of promised.objects.values()) {
    const name = objectName(sha256)
    const there = await stat(placeOf(name, store)).catch(() => undefined)
    if (there?.size === size) entries.push({ name, size, sha256 })
    else if (!there && evidence) lost++
    else throw notWhole(name, store)
  }
  for (const objects of promised.packs.keys()) {
    const name = packName(objects)
    const there = await stat(placeOf(name, store)).catch(() => undefined)
    if (!there) throw notWhole(name, store)
    entries.push({ name, size: there.size })
  }
  return { entries: entries.sort((a, b) => (a.name < b.name ? -1 : 1)), lost }
}

async function* contentOf(
  { name, size, sha256 }: Entry,
  store: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let left = size
  for await (const chunk of createReadStream(placeOf(name, store), { highWaterMark: 1 << 20, signal })) {
    left -= (chunk as Buffer).length
    if (left < 0) break
    hash.update(chunk as Buffer)
    yield chunk as Buffer
  }
  if (left !== 0 || (sha256 !== undefined && hash.digest('hex') !== sha256)) throw notWhole(name, store)
}

/** A folder in its place, a file where its folder should be. */
function unwritable(file: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (!['EISDIR', 'ENOTDIR', 'EEXIST', 'ENOENT'].includes(code ?? '')) return error
  return new ApplianceError('input', `the archive cannot be written to ${file} (${code})`, {
    hint: 'Name a file in a folder that is there, or can be made.',
    cause: error,
  })
}

function notWhole(name: string, store: string): ApplianceError {
  return new ApplianceError(
    'digest-mismatch',
    `${placeOf(name, store)} is not what the lock promises; no archive was written`,
    { hint: 'Run `appliance mirror-deps` without --archive: it looks at every byte and fetches it anew.' },
  )
}

function header(name: string, size: number): Buffer {
  return ustarHeader(name, size, 0)
}

function padding(size: number): Buffer {
  return Buffer.alloc(padded(size) - size)
}

function isBrokenPipe(error: unknown): boolean {
  return ['EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED'].includes(
    (error as NodeJS.ErrnoException).code ?? '',
  )
}

/** On the disk before it has its name. */
async function flushed(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.datasync()
  } finally {
    await file.close()
  }
}
