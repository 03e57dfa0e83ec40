import { createHash } from 'node:crypto'
import { alignedStretches, dataExtents } from '../disk/extents.ts'
import type { Log } from '../log/log.ts'
import { GrainPool, LEVEL, STRETCH, threadsFor } from './grain-pool.ts'
import type { Stretch } from './grain-worker.ts'
import { GRAIN, GrainIndex, SECTOR, vmdkHead } from './vmdk.ts'

export interface VmdkOrder {
  /** Raw disk, a whole number of MiB. */
  disk: string
  /** Size of the disk in bytes. */
  capacity: number
  /** The VMDK's name. */
  name: string
  log: Log
  signal: AbortSignal
  /** zlib's, 1 to 9. */
  level?: number
  /** Threads that compress (default: one a core). The bytes are the same for any number. */
  threads?: number
}

export interface Vmdk {
  name: string
  bytes: number
  sha256: string
  /** Bytes of the disk that are in it, in whole grains. */
  populated: number
}

/**
 * Compresses a raw disk into a streamOptimized VMDK, from its first byte to its last.
 *
 * @param write is given the file's bytes in order
 */
export async function writeVmdk(
  order: VmdkOrder,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<Vmdk> {
  const { disk, capacity, name, log, signal } = order
  const stretches = [...alignedStretches(await dataExtents(disk, signal), STRETCH, capacity)]
  const threads = threadsFor(stretches.length, order.threads)
  const hash = createHash('sha256')
  let bytes = 0
  const append = async (part: Uint8Array) => {
    hash.update(part)
    await write(part)
    bytes += part.length
  }

  await using pool = new GrainPool(disk, 'vmdk', threads, order.level ?? LEVEL)
  const content = await contentDigest(pool, stretches, signal)
  await append(vmdkHead({ name, capacity, content, adapterType: 'lsilogic' }))
  const index = new GrainIndex(capacity)
  const closeTable = async () => {
    const table = index.closeTable(bytes / SECTOR)
    if (table) await append(table)
  }
  let table = 0
  let populated = 0
  const length = stretches.reduce((total, stretch) => total + stretch.length, 0)
  const progress = log.progress(`packing ${name}`, length, 'bytes')
  try {
    for await (const { stretch, result } of pool.pack(stretches, signal)) {
      const first = stretch.offset / GRAIN
      if (index.tableOf(first) !== table) {
        await closeTable()
        table = index.tableOf(first)
      }
      let sector = bytes / SECTOR
      for (const [grain, size] of result.sizes.entries()) {
        if (size === 0) continue
        index.place(first + grain, sector)
        sector += size / SECTOR
        populated += GRAIN
      }
      await append(result.bytes)
      progress.add(stretch.length)
    }
  } finally {
    progress.done()
  }
  await closeTable()
  await append(index.end(bytes / SECTOR))
  return { name, bytes, sha256: hash.digest('hex'), populated }
}

/**
 * What the disk holds, as one digest: over offset and SHA-256 of each stretch that is not all zeros. Unlike the raw
 * disk's SHA-256 it costs nothing for empty space, and it is known before the first byte is written.
 */
async function contentDigest(
  pool: GrainPool,
  stretches: readonly Stretch[],
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256')
  for await (const { stretch, result } of pool.digest(stretches, signal))
    if (result !== undefined) hash.update(`${stretch.offset} ${result}\n`)
  return hash.digest('hex')
}
