import { link, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import { refuse } from '../../lib/errors/fault.ts'
import type { Log } from '../../lib/log/log.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import { Credentials, unsetSecrets } from './credentials.ts'
import { download, type Wanted } from './download.ts'
import { localFailure } from './faults.ts'
import type { Ledger } from './ledger.ts'
import type { Patience } from './patience.ts'
import { type Present, presentOf, verifiedOf } from './present.ts'
import { sourceProgress } from './source-progress.ts'
import { takeOver } from './take-over.ts'
import type { Verified } from './verified.ts'

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
  /** Asked before any upstream is: brings into the store what it can of what is absent, and says what that was. */
  archive?: ((absent: readonly LockedWanted[]) => Promise<ReadonlySet<string>>) | undefined
  patience?: Partial<Patience>
}

interface Absent extends LockedWanted {
  /** Sources that want the same bytes. */
  others: string[]
  whence: 'downloaded' | 'refetched'
}

const AT_ONCE = 8

/**
 * Brings everything wanted into the store. What has arrived stays, whole or not, whatever happens: the next run goes
 * on from there.
 */
export async function fetchAll(wanted: readonly LockedWanted[], options: FetchOptions): Promise<void> {
  // Which download ends first is not to show in the table.
  for (const { source } of wanted) options.ledger?.begin(source)
  const verified = await verifiedOf(options.store)
  try {
    const absent = await absentOf(wanted, verified, options)
    const rest = options.archive ? await beyondArchive(absent, verified, options) : absent
    if (rest.length > 0) await fetchAbsent(rest, verified, options)
  } finally {
    await verified.write()
  }
}

/** Where what has not wholly arrived waits for the next run: beside the store, on its file system. */
export function partialsOf(store: string): string {
  return join(dirname(store), 'partial')
}

/** What upstream is to be asked for once the archive has given what it has. */
async function beyondArchive(
  absent: readonly Absent[],
  verified: Verified,
  options: FetchOptions,
): Promise<Absent[]> {
  const { store, ledger } = options
  const taken = await options.archive!(absent)
  for (const { sha256, source, others } of absent.filter((one) => taken.has(one.sha256))) {
    const path = objectPath(store, sha256)
    const status = await stat(path)
    for (const whose of [source, ...others])
      ledger?.note(whose, { sha256, size: status.size }, whose === source ? 'archive' : 'store')
    verified.note(sha256, status)
    await share(path, sha256, options)
  }
  return absent.filter(({ sha256 }) => !taken.has(sha256))
}

async function fetchAbsent(
  absent: readonly Absent[],
  verified: Verified,
  options: FetchOptions,
): Promise<void> {
  const { store, log, ledger, patience } = options
  const logins = new Map(absent.map(({ source, login }) => [source, login?.auth]))
  refuse([...logins].flatMap(([source, auth]) => unsetSecrets(source, auth, process.env)))
  await sweep(store)
  const credentials = new Credentials(process.env, (secret) => log.mask(secret))
  const progress = sourceProgress(log, absent)
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const gone: ApplianceError[] = []
  const wrong: ApplianceError[] = []
  /** By source: its other artefacts would fail alike. */
  const unreachable = new Map<string, ApplianceError>()
  const lost: string[] = []
  let failure: unknown
  const queue = absent[Symbol.iterator]()
  const worker = async () => {
    for (const one of queue) {
      if (signal.aborted) return
      if (unreachable.has(one.source)) continue
      try {
        const path = objectPath(store, one.sha256)
        const { size, transferred } = await download(one, path, {
          signal,
          onBytes: (bytes, moved) => progress.add(one.source, bytes, moved),
          partials: partialsOf(store),
          patience,
          credentials,
        })
        ledger?.note(one.source, { sha256: one.sha256, size }, one.whence, transferred)
        for (const other of one.others) ledger?.note(other, { sha256: one.sha256, size }, 'store')
        verified.note(one.sha256, await stat(path))
        await share(path, one.sha256, options)
      } catch (error) {
        if (one.evidence && isLost(error)) lost.push(one.title)
        else if (error instanceof ApplianceError && error.code === 'gone') gone.push(error)
        else if (error instanceof ApplianceError && error.code === 'digest-mismatch') wrong.push(error)
        else if (error instanceof ApplianceError && error.code === 'unreachable') {
          if (!unreachable.has(one.source)) unreachable.set(one.source, error)
        } else {
          failure ??= error
          stop.abort()
        }
      }
    }
  }
  // Every worker has ended, and put away what it had, before anything is said.
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  progress.done()
  options.signal.throwIfAborted()
  if (failure) throw failure
  if (lost.length > 0)
    log.warn(
      `upstream has moved on from ${lost.length} signed indexes or keys (${lost.slice(0, 3).join(', ')}${lost.length > 3 ? ' …' : ''}); what they vouch for is checked by the lock alone`,
    )
  // The gravest comes first: its code and hint are told.
  if (wrong.length + unreachable.size > 0) throw together([...wrong, ...gone, ...unreachable.values()])
  if (gone.length > 0) throw allGone(gone)
}

function isLost(error: unknown): boolean {
  return error instanceof ApplianceError && ['gone', 'unreachable', 'digest-mismatch'].includes(error.code)
}

/** Whoever answers with other bytes, or not at all, does so for several files: a line each. */
function together(errors: readonly ApplianceError[]): ApplianceError {
  const [first] = errors as [ApplianceError, ...ApplianceError[]]
  return new ApplianceError(
    first.code,
    [...new Set(errors.map(({ message }) => message))].sort().join('\n'),
    {
      ...(first.hint ? { hint: first.hint } : {}),
      cause: first,
    },
  )
}

/** When upstream has moved on, several packages are gone at once: the user wants to know them all. */
function allGone(gone: readonly ApplianceError[]): ApplianceError {
  const [first, ...others] = gone as [ApplianceError, ...ApplianceError[]]
  if (others.length === 0) return first
  const titles = others.map(({ message }) => message.replace(/ is (no longer|not) at .*/, ''))
  return new ApplianceError('gone', `${first.message}; nor are ${titles.join(', ')}`, {
    ...(first.hint ? { hint: first.hint } : {}),
    cause: first,
  })
}

/** What the store lacks, each object once; damaged ones are removed. */
async function absentOf(
  wanted: readonly LockedWanted[],
  verified: Verified,
  options: FetchOptions,
): Promise<Absent[]> {
  const { store, sharedStore, log, ledger } = options
  const found = await presentOf(wanted, verified, options)
  const absent = new Map<string, Absent>()
  for (const one of wanted) {
    const { sha256, source } = one
    const { state, size } = found.get(sha256)!
    const path = objectPath(store, sha256)
    if (state === 'whole') ledger?.note(source, { sha256, size }, 'store')
    if (state === 'whole') continue
    const before = absent.get(sha256)
    if (before) {
      if (before.source !== source) before.others.push(source)
      continue
    }
    if (state === 'damaged') {
      log.warn(`${one.title}: the mirror's copy is damaged; fetching it again`)
      await removed(path, one.title)
    }
    if (sharedStore && (await takeOver(objectPath(sharedStore, sha256), path, sha256))) {
      const status = await stat(path)
      verified.note(sha256, status)
      ledger?.note(source, { sha256, size: status.size }, 'shared')
      found.set(sha256, { state: 'whole', size: status.size })
    } else
      absent.set(sha256, { ...one, others: [], whence: state === 'damaged' ? 'refetched' : 'downloaded' })
  }
  return [...absent.values()]
}

async function removed(path: string, title: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true })
  } catch (error) {
    throw localFailure(error as Error, title, dirname(path)) ?? error
  }
}

/** How many of the wanted objects the store lacks or holds damaged; evidence that was lost is not missed. */
export async function lacking(
  wanted: readonly LockedWanted[],
  options: Pick<FetchOptions, 'store' | 'signal' | 'verify'>,
): Promise<number> {
  const verified = await verifiedOf(options.store)
  const found = await presentOf(wanted, verified, options)
  await verified.write()
  const missing = (one: LockedWanted, { state }: Present) =>
    state === 'damaged' || (state === 'absent' && !one.evidence)
  return new Set(wanted.filter((one) => missing(one, found.get(one.sha256)!)).map(({ sha256 }) => sha256))
    .size
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
