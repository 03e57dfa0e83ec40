import { createHash } from 'node:crypto'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { sha256 } from '../lib/files/digest.ts'
import type { Log } from '../lib/log/log.ts'
import type { DescribedDisk } from './descriptor.ts'
import { alignedStretches, dataExtents, type Extent } from './extents.ts'
import { GrainPool } from './grain-pool.ts'
import { manifest } from './manifest.ts'
import { BLOCK, padded, ustarHeader } from './ustar.ts'
import { GRAIN, GrainIndex, SECTOR, vmdkHead } from './vmdk.ts'

/** What one thread takes at a time: divides the span of a grain table, so that no stretch crosses two. */
const STRETCH = 2 << 20

/** zlib's level: 5 is a fifth quicker than 6 for half a percent in size (`script/bench pack`). */
const LEVEL = 5

/** More threads than this would take us past our memory, not past the disk's speed. */
const MOST_THREADS = 12

const SHA256_DIGITS = 64

export interface OvaOrder {
  /** Raw disk, a whole number of MiB. */
  disk: string
  /** SHA-256 of the raw disk in hex. */
  diskSha256: string
  /** Where its data is, when known already. */
  extents?: readonly Extent[]
  /** The OVA to write; its name without `.ova` is that of its members. */
  path: string
  /** The descriptor's text, given what is known about the disk only at the end. */
  describe: (disk: DescribedDisk) => string
  log: Log
  signal: AbortSignal
  /** Threads that compress (default: one a core). The bytes are the same for any number. */
  threads?: number
}

export interface Ova {
  bytes: number
  /** The VMDK as a member of the archive. */
  vmdk: { name: string; bytes: number; sha256: string; populated: number }
}

/**
 * Writes an OVA in one pass: room is left for headers, descriptor and manifest, the disk is compressed straight to
 * its place behind them, and what had to wait for its digest is filled in at the end. The final name appears last.
 */
export async function packOva(order: OvaOrder): Promise<Ova> {
  const { disk, path, describe } = order
  const capacity = (await stat(disk)).size
  if (capacity % 2 ** 20 !== 0) throw new ApplianceError('internal', `${disk} is not a whole number of MiB`)
  const name = basename(path, '.ova')
  const names = { ovf: `${name}.ovf`, mf: `${name}.mf`, vmdk: `${name}-disk1.vmdk` }

  // No figure in the descriptor has more digits than these.
  const most = Number.MAX_SAFE_INTEGER
  const longest = describe({ file: names.vmdk, bytes: most, capacity, populated: most })
  const ovfSlot = padded(Buffer.byteLength(longest))
  const digest = '0'.repeat(SHA256_DIGITS)
  const mfSize = manifest([names.ovf, names.vmdk].map((file) => ({ name: file, sha256: digest }))).length
  const mfAt = BLOCK + ovfSlot
  const vmdkAt = mfAt + BLOCK + padded(mfSize) + BLOCK

  const partial = join(dirname(path), `.${basename(path)}.partial`)
  try {
    const file = await open(partial, 'w')
    try {
      const vmdk = await writeVmdk(file, vmdkAt, names.vmdk, capacity, order)
      const text = describe({ file: names.vmdk, bytes: vmdk.bytes, capacity, populated: vmdk.populated })
      const ovf = Buffer.alloc(ovfSlot, '\n')
      ovf.write(text)
      const mf = manifest([
        { name: names.ovf, sha256: sha256(ovf) },
        { name: names.vmdk, sha256: vmdk.sha256 },
      ])
      await writeAt(file, 0, [ustarHeader(names.ovf, ovfSlot), ovf])
      await writeAt(file, mfAt, [ustarHeader(names.mf, mfSize), Buffer.from(mf)])
      await writeAt(file, vmdkAt - BLOCK, [ustarHeader(names.vmdk, vmdk.bytes)])
      const bytes = vmdkAt + padded(vmdk.bytes) + 2 * BLOCK
      await file.truncate(bytes)
      await file.datasync()
      await rename(partial, path)
      return { bytes, vmdk }
    } finally {
      await file.close()
    }
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

async function writeVmdk(
  file: FileHandle,
  at: number,
  name: string,
  capacity: number,
  { disk, diskSha256, log, signal, threads, ...order }: OvaOrder,
): Promise<Ova['vmdk']> {
  const hash = createHash('sha256')
  let written = 0
  const append = async (bytes: Uint8Array) => {
    hash.update(bytes)
    await writeAt(file, at + written, [bytes])
    written += bytes.length
  }

  await append(vmdkHead({ name, capacity, disk: diskSha256, adapterType: 'lsilogic' }))
  const extents = order.extents ?? (await dataExtents(disk, signal))
  const stretches = [...alignedStretches(extents, STRETCH, capacity)]
  const index = new GrainIndex(capacity)
  const progress = log.progress(
    `packing ${name}`,
    stretches.reduce((total, { length }) => total + length, 0),
    'bytes',
  )
  let table = 0
  let populated = 0
  const closeTable = async () => {
    const bytes = index.closeTable(written / SECTOR)
    if (bytes) await append(bytes)
  }
  try {
    const count = Math.min(threads ?? availableParallelism(), MOST_THREADS, Math.max(stretches.length, 1))
    await using pool = new GrainPool(disk, count, LEVEL)
    for await (const { stretch, packed } of pool.pack(stretches, signal)) {
      const first = stretch.offset / GRAIN
      if (index.tableOf(first) !== table) {
        await closeTable()
        table = index.tableOf(first)
      }
      let sector = written / SECTOR
      for (const [grain, sectors] of packed.sectors.entries()) {
        if (sectors === 0) continue
        index.place(first + grain, sector)
        sector += sectors
        populated += GRAIN
      }
      await append(packed.bytes)
      progress.add(stretch.length)
    }
  } finally {
    progress.done()
  }
  await closeTable()
  await append(index.end(written / SECTOR))
  return { name, bytes: written, sha256: hash.digest('hex'), populated: Math.min(populated, capacity) }
}

async function writeAt(file: FileHandle, position: number, parts: readonly Uint8Array[]): Promise<void> {
  for (const part of parts) {
    for (let done = 0; done < part.length; ) {
      const { bytesWritten } = await file.write(part, done, part.length - done, position + done)
      done += bytesWritten
    }
    position += part.length
  }
}
