import { link, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import { sha256File } from '../../lib/files/digest.ts'
import type { Log } from '../../lib/log/log.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import { download, takeOver, type Wanted } from './download.ts'
import type { Ledger, Whence } from './ledger.ts'
import { Verified } from './verified.ts'

/** What the lock promises, and where it may be had. */
export interface LockedWanted extends Wanted {
  /** Part of the lock it belongs to: `deb debian`, `gem app`, `tools`. */
  source: string
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
  /** Hash everything that is there already, also what looks as it did when it was last hashed. */
  verify: boolean
  /** Told what became of every artefact. */
  ledger?: Ledger
}

interface Absent extends LockedWanted {
  whence: 'downloaded' | 'refetched'
}

const AT_ONCE = 8

/** Brings everything wanted into the store. */
export async function fetchAll(wanted: readonly LockedWanted[], options: FetchOptions): Promise<void> {
  const unique = [...new Map(wanted.map((one) => [one.sha256, one])).values()]
  const verified = await Verified.read(recordOf(options.store))
  try {
    const absent = await absentOf(unique, verified, options)
    if (absent.length > 0) await fetchAbsent(absent, verified, options)
  } finally {
    await verified.write()
  }
}

async function fetchAbsent(
  absent: readonly Absent[],
  verified: Verified,
  options: FetchOptions,
): Promise<void> {
  await sweep(options.store)
  const progress = options.log.progress(
    `downloading ${absent.length} artefacts`,
    absent.reduce((sum, { size }) => sum + (size ?? 0), 0),
    'bytes',
  )
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const gone: ApplianceError[] = []
  const lost: string[] = []
  let failure: unknown
  const queue = absent[Symbol.iterator]()
  const worker = async () => {
    for (const one of queue) {
      if (signal.aborted) return
      try {
        const path = objectPath(options.store, one.sha256)
        const { size } = await download(one, path, { signal, onBytes: (count) => progress.add(count) })
        options.ledger?.note(one.source, { sha256: one.sha256, size }, one.whence, size)
        verified.note(one.sha256, await stat(path))
        await share(path, one.sha256, options)
      } catch (error) {
        if (one.evidence && isLost(error)) lost.push(one.title)
        else if (error instanceof ApplianceError && error.code === 'gone') gone.push(error)
        else {
          failure ??= error
          stop.abort()
        }
      }
    }
  }
  // Every worker has ended, and swept up after itself, before anything is said.
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  progress.done()
  options.signal.throwIfAborted()
  if (failure) throw failure
  if (lost.length > 0)
    options.log.warn(
      `upstream has moved on from ${lost.length} signed indexes; their packages are checked by the lock alone`,
    )
  if (gone.length > 0) throw allGone(gone)
}

function isLost(error: unknown): boolean {
  return error instanceof ApplianceError && ['gone', 'unreachable', 'digest-mismatch'].includes(error.code)
}

/** When upstream has moved on, several packages are gone at once: the user wants to know them all. */
function allGone(gone: readonly ApplianceError[]): ApplianceError {
  const [first, ...others] = gone as [ApplianceError, ...ApplianceError[]]
  if (others.length === 0) return first
  const titles = others.map(({ message }) => message.replace(/ is no longer at .*/, ''))
  return new ApplianceError('gone', `${first.message}; nor are ${titles.join(', ')}`, {
    ...(first.hint ? { hint: first.hint } : {}),
    cause: first,
  })
}

async function absentOf(
  wanted: readonly LockedWanted[],
  verified: Verified,
  options: FetchOptions,
): Promise<Absent[]> {
  const absent: Absent[] = []
  for (const one of wanted) {
    const path = objectPath(options.store, one.sha256)
    const state = await stateOf(one, verified, options)
    const found = async (whence: Whence) => {
      const status = await stat(path)
      options.ledger?.note(one.source, { sha256: one.sha256, size: status.size }, whence)
      return status
    }
    if (state === 'whole') {
      await found('store')
      continue
    }
    if (state === 'damaged') {
      options.log.warn(`${one.title}: the mirror's copy is damaged; fetching it again`)
      await rm(path)
    }
    const shared = options.sharedStore && objectPath(options.sharedStore, one.sha256)
    if (shared && (await takeOver(shared, path, one.sha256))) verified.note(one.sha256, await found('shared'))
    else absent.push({ ...one, whence: state === 'damaged' ? 'refetched' : 'downloaded' })
  }
  return absent
}

/** How many of the wanted objects the store lacks or holds damaged; evidence that was lost is not missed. */
export async function lacking(
  wanted: readonly LockedWanted[],
  options: Pick<FetchOptions, 'store' | 'signal' | 'verify'>,
): Promise<number> {
  const verified = await Verified.read(recordOf(options.store))
  let count = 0
  for (const one of wanted) {
    const state = await stateOf(one, verified, options)
    if (state === 'damaged' || (state === 'absent' && !one.evidence)) count++
  }
  await verified.write()
  return count
}

async function stateOf(
  { sha256, size }: LockedWanted,
  verified: Verified,
  { store, signal, verify }: Pick<FetchOptions, 'store' | 'signal' | 'verify'>,
): Promise<'whole' | 'absent' | 'damaged'> {
  signal.throwIfAborted()
  const path = objectPath(store, sha256)
  const there = await stat(path).catch(() => undefined)
  if (!there) return 'absent'
  if ((size ?? there.size) !== there.size) return 'damaged'
  if (!verify && verified.vouchesFor(sha256, there)) return 'whole'
  if ((await sha256File(path, signal)) !== sha256) return 'damaged'
  verified.note(sha256, there)
  return 'whole'
}

/** Beside the store, not in it: it says something about the files of this computer only. */
function recordOf(store: string): string {
  return join(dirname(store), 'verified.json')
}

/** Half-written files that a killed run left behind; nobody else writes here (see occupy). */
async function sweep(store: string): Promise<void> {
  const objects = join(store, 'sha256')
  for (const folder of await readdir(objects).catch(() => []))
    for (const name of await readdir(join(objects, folder)))
      if (name.endsWith('.partial')) await rm(join(objects, folder, name), { force: true })
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
