import { link, mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { sha256File } from '../lib/files/digest.ts'
import type { Log } from '../lib/log/log.ts'
import { objectPath } from '../lib/mirror/store.ts'
import { download, takeOver, type Wanted } from './download.ts'

/** What the lock promises, and where it may be had. */
export interface LockedWanted extends Wanted {
  sha256: string
  /** Losing it makes the proof poorer, not the machine: a failure is a warning. */
  evidence?: boolean
}

export interface FetchOptions {
  store: string
  /** Objects shared by all projects of this user; undefined: none. */
  sharedStore: string | undefined
  log: Log
  signal: AbortSignal
  /** Hash what is there already instead of trusting its size. */
  verify: boolean
}

const AT_ONCE = 8

/** Brings everything wanted into the store. Returns how many bytes were downloaded. */
export async function fetchAll(wanted: readonly LockedWanted[], options: FetchOptions): Promise<number> {
  const unique = [...new Map(wanted.map((one) => [one.sha256, one])).values()]
  const absent = await absentOf(unique, options)
  if (absent.length === 0) return 0
  const progress = options.log.progress(
    `downloading ${absent.length} artefacts`,
    absent.reduce((sum, { size }) => sum + (size ?? 0), 0),
    'bytes',
  )
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  let bytes = 0
  const queue = absent[Symbol.iterator]()
  const worker = async () => {
    for (const one of queue) {
      signal.throwIfAborted()
      try {
        const path = objectPath(options.store, one.sha256)
        const onBytes = (count: number) => {
          progress.add(count)
        }
        bytes += (await download(one, path, { signal, onBytes })).size
        await share(path, one.sha256, options)
      } catch (error) {
        const lost =
          error instanceof ApplianceError && ['gone', 'unreachable', 'digest-mismatch'].includes(error.code)
        if (!one.evidence || !lost) throw error
        options.log.warn(
          `${one.title} can no longer be had from upstream; its packages are checked by the lock alone`,
        )
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
  } catch (error) {
    stop.abort()
    throw error
  } finally {
    progress.done()
  }
  return bytes
}

async function absentOf(wanted: readonly LockedWanted[], options: FetchOptions): Promise<LockedWanted[]> {
  const absent: LockedWanted[] = []
  for (const one of wanted) {
    options.signal.throwIfAborted()
    const path = objectPath(options.store, one.sha256)
    const there = await stat(path).catch(() => undefined)
    if (there && (one.size ?? there.size) === there.size) {
      if (!options.verify || (await sha256File(path, options.signal)) === one.sha256) continue
      options.log.warn(`${one.title}: the mirror's copy is damaged; fetching it again`)
      await rm(path)
    } else if (there) await rm(path)
    const shared = options.sharedStore && objectPath(options.sharedStore, one.sha256)
    if (!shared || !(await takeOver(shared, path, one.sha256))) absent.push(one)
  }
  return absent
}

/** Other projects of this user need not download it again; where that cannot be arranged, they will. */
async function share(path: string, sha256: string, { sharedStore }: FetchOptions): Promise<void> {
  if (!sharedStore) return
  const to = objectPath(sharedStore, sha256)
  try {
    await mkdir(dirname(to), { recursive: true })
    const partial = `${to}.${process.pid}.partial`
    await link(path, partial)
    await rename(partial, to)
  } catch {
    // Another file system, or no room: the mirror itself is whole.
  }
}
