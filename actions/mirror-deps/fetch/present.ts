import { lstatSync, type Stats } from 'node:fs'
import { dirname, join } from 'node:path'
import { setImmediate as others } from 'node:timers/promises'
import { objectPath } from '../../lib/mirror/store.ts'
import { HashPool } from './hash-pool.ts'
import { Verified } from './verified.ts'

/** What the store has under a digest. */
export interface Present {
  state: 'whole' | 'absent' | 'damaged'
  /** Bytes; 0 where it is absent. */
  size: number
}

export interface PresentOptions {
  store: string
  signal: AbortSignal
  /** Hash everything, also what looks as it did when it was last hashed. */
  verify: boolean
}

interface Promised {
  sha256: string
  size?: number
}

/** Asking for the state of ten thousand files is quicker at once than by as many promises; others wait for so many. */
const AT_ONCE = 500

/**
 * What the store has of what is wanted, by digest. What looks as it did when its every byte was last read is not
 * read again; all else is, on all cores.
 */
export async function presentOf(
  wanted: readonly Promised[],
  verified: Verified,
  { store, signal, verify }: PresentOptions,
): Promise<Map<string, Present>> {
  const found = new Map<string, Present>()
  const unread: { sha256: string; path: string; status: Stats }[] = []
  for (const [index, { sha256, size }] of wanted.entries()) {
    if (index % AT_ONCE === 0) await others(undefined, { signal })
    if (found.has(sha256)) continue
    const path = objectPath(store, sha256)
    const status = lstatSync(path, { throwIfNoEntry: false })
    const right = status?.isFile() && (size ?? status.size) === status.size
    found.set(sha256, { state: status ? (right ? 'whole' : 'damaged') : 'absent', size: status?.size ?? 0 })
    if (status && right && (verify || !verified.vouchesFor(sha256, status)))
      unread.push({ sha256, path, status })
  }
  await using pool = new HashPool(signal)
  await Promise.all(
    unread.map(async ({ sha256, path, status }) => {
      if ((await digestOf(path, pool)) === sha256) verified.note(sha256, status)
      else found.get(sha256)!.state = 'damaged'
    }),
  )
  return found
}

/** Sectors that cannot be read are as good as other bytes. */
async function digestOf(path: string, pool: HashPool): Promise<string | undefined> {
  try {
    return await pool.sha256(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EIO') return undefined
    throw error
  }
}

/** What is known of the store's files on this computer; beside the store, not in it. */
export async function verifiedOf(store: string): Promise<Verified> {
  return await Verified.read(join(dirname(store), 'verified.json'))
}
