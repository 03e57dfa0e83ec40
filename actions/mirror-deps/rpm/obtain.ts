import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ApplianceError, toApplianceError } from '../../lib/errors/error.ts'
import { sha256File } from '../../lib/files/digest.ts'
import type { Artefact } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import { download } from '../fetch/download.ts'
import type { Ledger } from '../fetch/ledger.ts'
import type { Checksum } from './repomd.ts'

export interface Obtaining {
  store: string
  /** For what is not known to be right yet; on the same file system as the store. */
  directory: string
  signal: AbortSignal
  /** Told of what is downloaded. */
  ledger?: Ledger | undefined
}

interface Obtained {
  /** Part of the lock it belongs to: `rpm baseos`. */
  source: string
  /** For messages. */
  title: string
  urls: readonly string[]
  /** What upstream says of it: any one of these; none: whatever comes is taken. */
  checksums: readonly Checksum[]
  tries?: number
  /** Ask for it even if it is here: whether an address has it is the question. */
  anew?: boolean
}

/** Digests that prove something; MD5 and SHA-1 do not, but old repositories have nothing better beside signatures. */
const known = ['sha256', 'sha512', 'sha384', 'sha224', 'sha1']

/**
 * Brings a file into the store while locking: the lock wants its SHA-256, upstream may vouch for it by another
 * digest. What is there already is taken if every byte is right.
 *
 * @throws ApplianceError as download does; `digest-mismatch` when no address gives what upstream's index promises
 */
export async function obtain(wanted: Obtained, options: Obtaining): Promise<Artefact> {
  const { title, urls, checksums } = wanted
  const strange = checksums.find(({ type }) => !known.includes(type))
  if (strange)
    throw new ApplianceError('digest-mismatch', `${title}: upstream vouches for it by ${strange.type} only`, {
      hint: 'That proves nothing. Use a newer generation of this repository.',
    })
  const here = wanted.anew ? undefined : await inStore(checksums, options)
  if (here) return here
  const failures: ApplianceError[] = []
  for (const url of urls)
    try {
      return await fetched({ ...wanted, urls: [url] }, options)
    } catch (error) {
      options.signal.throwIfAborted()
      failures.push(toApplianceError(error))
    }
  throw mostTelling(failures)
}

/** That an address has something else tells more than that another does not answer. */
export function mostTelling(failures: readonly ApplianceError[]): ApplianceError {
  return failures.find(({ code }) => code === 'digest-mismatch') ?? failures[0]!
}

async function inStore(checksums: readonly Checksum[], options: Obtaining): Promise<Artefact | undefined> {
  for (const { type, hex } of checksums) {
    if (type !== 'sha256') continue
    const path = objectPath(options.store, hex)
    const there = await stat(path).catch(() => undefined)
    if (there?.isFile() && (await sha256File(path, options.signal)) === hex)
      return { sha256: hex, size: there.size }
  }
  return undefined
}

/** Downloads a file beside the store, and moves it there when it is what upstream's index promises. */
async function fetched(wanted: Obtained, options: Obtaining): Promise<Artefact> {
  const partial = join(
    options.directory,
    `obtained-${createHash('sha256').update(wanted.title).digest('hex')}`,
  )
  try {
    const { title, urls } = wanted
    const { signal } = options
    const { transferred, ...got } = await download({ title, urls, ...tries(wanted) }, partial, { signal })
    if (wanted.checksums.length > 0 && !(await isOneOf(wanted.checksums, partial))) {
      const promised = wanted.checksums.map(({ type, hex }) => `${type} ${hex}`).join(' or ')
      throw new ApplianceError(
        'digest-mismatch',
        `${title}: ${urls[0]} gives other bytes than upstream's index promises: expected ${promised}`,
        {
          hint: 'Nothing of it was kept. That mirror may be behind or broken: try again later, or another one.',
        },
      )
    }
    const to = objectPath(options.store, got.sha256)
    await mkdir(dirname(to), { recursive: true })
    await rename(partial, to)
    options.ledger?.note(wanted.source, got, 'downloaded', transferred)
    return got
  } finally {
    await rm(partial, { force: true })
  }
}

function tries({ tries }: Obtained): { tries?: number } {
  return tries === undefined ? {} : { tries }
}

async function isOneOf(checksums: readonly Checksum[], path: string): Promise<boolean> {
  for (const { type, hex } of checksums) if ((await digestOf(type, path)) === hex) return true
  return false
}

/** Digest of a file by any algorithm of {@link known}, streamed, lower-case hex. */
export async function digestOf(type: string, path: string): Promise<string> {
  const hash = createHash(type)
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
