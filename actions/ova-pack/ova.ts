import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { sha256 } from '../lib/files/digest.ts'
import { BLOCK, padded, ustarHeader } from '../lib/files/ustar.ts'
import type { Log } from '../lib/log/log.ts'
import type { DescribedDisk } from '../lib/ovf/descriptor.ts'
import { manifest } from '../lib/ovf/manifest.ts'
import { type Vmdk, writeVmdk } from '../lib/vmdk/file.ts'

export interface OvaOrder {
  /** Raw disk, a whole number of MiB. */
  disk: string
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
  /** The disk as a member of the archive. */
  vmdk: Vmdk
}

/** Where the members of the archive lie; sizes in bytes. */
interface Layout {
  ovf: { name: string; size: number }
  mf: { name: string; size: number; at: number }
  vmdk: { name: string; at: number }
}

/**
 * Writes an OVA in one pass: room is left for headers, descriptor and manifest, the disk is compressed straight to
 * its place behind them, and what had to wait for its digest is filled in at the end. The final name appears last.
 */
export async function packOva(order: OvaOrder): Promise<Ova> {
  const { disk, path, describe } = order
  const capacity = (await stat(disk)).size
  if (capacity % 2 ** 20 !== 0) throw new ApplianceError('internal', `${disk} is not a whole number of MiB`)
  const layout = layOut(basename(path, '.ova'), capacity, describe)
  const partial = join(dirname(path), `.${basename(path)}.partial`)
  try {
    const file = await open(partial, 'w')
    try {
      let at = layout.vmdk.at
      const vmdk = await writeVmdk({ ...order, capacity, name: layout.vmdk.name }, async (bytes) => {
        await writeAt(file, at, bytes)
        at += bytes.length
      })
      await writeHead(file, layout, vmdk, describe({ ...vmdk, file: vmdk.name, capacity }))
      const bytes = layout.vmdk.at + padded(vmdk.bytes) + 2 * BLOCK
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

/** Order `.ovf`, `.mf`, `.vmdk`: importers stream, and want to know what a disk is and its digest before it comes. */
function layOut(name: string, capacity: number, describe: OvaOrder['describe']): Layout {
  const vmdk = `${name}-disk1.vmdk`
  const ovf = `${name}.ovf`
  // No figure in the descriptor has more digits than these.
  const most = Number.MAX_SAFE_INTEGER
  const ovfSize = padded(Buffer.byteLength(describe({ file: vmdk, bytes: most, capacity, populated: most })))
  const digest = sha256('')
  const mfSize = manifest([ovf, vmdk].map((member) => ({ name: member, sha256: digest }))).length
  const mfAt = BLOCK + ovfSize
  return {
    ovf: { name: ovf, size: ovfSize },
    mf: { name: `${name}.mf`, size: mfSize, at: mfAt },
    vmdk: { name: vmdk, at: mfAt + BLOCK + padded(mfSize) + BLOCK },
  }
}

/** Everything before the disk's first byte; the descriptor is padded with newlines to the room left for it. */
async function writeHead(file: FileHandle, layout: Layout, vmdk: Vmdk, text: string): Promise<void> {
  const { ovf, mf } = layout
  const descriptor = Buffer.alloc(ovf.size, '\n')
  descriptor.write(text)
  const digests = manifest([{ name: ovf.name, sha256: sha256(descriptor) }, vmdk])
  await writeAt(file, 0, Buffer.concat([ustarHeader(ovf.name, ovf.size), descriptor]))
  await writeAt(file, mf.at, Buffer.concat([ustarHeader(mf.name, mf.size), Buffer.from(digests)]))
  await writeAt(file, layout.vmdk.at - BLOCK, ustarHeader(vmdk.name, vmdk.bytes))
}

async function writeAt(file: FileHandle, position: number, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}
