import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { writeAt } from '../lib/files/at.ts'
import { sha256 } from '../lib/files/digest.ts'
import { BLOCK, padded, ustarHeader } from '../lib/files/ustar.ts'
import type { Log } from '../lib/log/log.ts'
import type { DescribedDisk } from '../lib/ovf/descriptor.ts'
import { manifest } from '../lib/ovf/manifest.ts'
import { type Vmdk, writeVmdk } from '../lib/vmdk/file.ts'

export interface OvaOrder {
  /** Raw disk, a whole number of MiB. */
  disk: string
  /** Further ones, behind it. */
  dataDisks?: readonly string[]
  /** The OVA to write; its name without `.ova` is that of its members. */
  path: string
  /** The descriptor's text, given what is known about the disks only at the end. */
  describe: (disk: DescribedDisk, dataDisks: readonly DescribedDisk[]) => string
  /** Pictures: small files that stand before the disks. */
  extras?: readonly { name: string; content: Buffer }[]
  /** Makes the `.cert` of a manifest; as long for every manifest. */
  sign?: (name: string, manifest: Buffer) => Promise<Buffer>
  log: Log
  signal: AbortSignal
  /** zlib's, 1 to 9. */
  level?: number
  /** Threads that compress (default: one a core). The bytes are the same for any number. */
  threads?: number
}

export interface Ova {
  bytes: number
  /** The first disk as a member of the archive. */
  vmdk: Vmdk
  vmdks: readonly Vmdk[]
}

/** Where the members before the disks lie; sizes in bytes. */
interface Layout {
  ovf: { name: string; size: number }
  mf: { name: string; size: number; at: number }
  cert: { name: string; size: number; at: number } | undefined
  extras: { name: string; content: Buffer; at: number }[]
  disks: { path: string; name: string; capacity: number }[]
  /** Of the first disk's header. */
  disksAt: number
}

/**
 * Writes an OVA in one pass: room is left for headers, descriptor, manifest and certificate, the disks are compressed
 * straight to their places behind them, and what had to wait for their digests is filled in at the end. The final name
 * appears last.
 */
export async function packOva(order: OvaOrder): Promise<Ova> {
  const { path, describe } = order
  const layout = await layOut(order)
  const partial = join(dirname(path), `.${basename(path)}.partial`)
  try {
    const file = await open(partial, 'w')
    try {
      let at = layout.disksAt
      const vmdks: Vmdk[] = []
      for (const disk of layout.disks) {
        const header = at
        at += BLOCK
        const vmdk = await writeVmdk({ ...order, ...disk, disk: disk.path }, async (bytes) => {
          await writeAt(file, at, bytes)
          at += bytes.length
        })
        await writeAt(file, header, ustarHeader(vmdk.name, vmdk.bytes))
        at = header + BLOCK + padded(vmdk.bytes)
        vmdks.push(vmdk)
      }
      const [first, ...others] = vmdks.map((vmdk, index) =>
        describedDisk(vmdk, layout.disks[index]!.capacity),
      )
      await writeHead(file, layout, vmdks, describe(first!, others), order.sign)
      const bytes = at + 2 * BLOCK
      await file.truncate(bytes)
      await file.datasync()
      await rename(partial, path)
      return { bytes, vmdk: vmdks[0]!, vmdks }
    } finally {
      await file.close()
    }
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

function describedDisk({ name, bytes, populated }: Vmdk, capacity: number): DescribedDisk {
  return { file: name, bytes, capacity, populated }
}

/** Order `.ovf`, `.mf`, disks: importers stream, and want to know what a disk is and its digest before it comes. */
async function layOut({
  disk,
  dataDisks = [],
  path,
  describe,
  extras = [],
  sign,
}: OvaOrder): Promise<Layout> {
  const name = basename(path, '.ova')
  const disks = []
  for (const [index, file] of [disk, ...dataDisks].entries()) {
    const capacity = (await stat(file)).size
    if (capacity % 2 ** 20 !== 0) throw new ApplianceError('internal', `${file} is not a whole number of MiB`)
    disks.push({ path: file, name: `${name}-disk${index + 1}.vmdk`, capacity })
  }
  // No figure in the descriptor has more digits than these.
  const most = Number.MAX_SAFE_INTEGER
  const [first, ...others] = disks.map(({ name: file, capacity }) => ({
    file,
    bytes: most,
    capacity,
    populated: most,
  }))
  const ovf = { name: `${name}.ovf`, size: padded(Buffer.byteLength(describe(first!, others))) }
  const digest = sha256('')
  const members = [ovf, ...extras, ...disks].map((member) => ({ name: member.name, sha256: digest }))
  const mfText = Buffer.from(manifest(members))
  const mf = { name: `${name}.mf`, size: mfText.length, at: BLOCK + ovf.size }
  let at = mf.at + BLOCK + padded(mf.size)
  let cert: Layout['cert']
  if (sign) {
    cert = { name: `${name}.cert`, size: (await sign(mf.name, mfText)).length, at }
    at += BLOCK + padded(cert.size)
  }
  const placed = extras.map((extra) => {
    const own = { ...extra, at }
    at += BLOCK + padded(extra.content.length)
    return own
  })
  return { ovf, mf, cert, extras: placed, disks, disksAt: at }
}

/** Everything before the disks; the descriptor is padded with newlines to the room left for it. */
async function writeHead(
  file: FileHandle,
  { ovf, mf, cert, extras }: Layout,
  vmdks: readonly Vmdk[],
  text: string,
  sign: OvaOrder['sign'],
): Promise<void> {
  const descriptor = Buffer.alloc(ovf.size, '\n')
  descriptor.write(text)
  const small = [{ name: ovf.name, content: descriptor }, ...extras]
  const digests = small.map(({ name, content }) => ({ name, sha256: sha256(content) }))
  const lines = Buffer.from(manifest([...digests, ...vmdks]))
  await writeMember(file, 0, ovf.name, descriptor)
  await writeMember(file, mf.at, mf.name, lines)
  if (cert && sign) {
    const signed = await sign(mf.name, lines)
    if (signed.length !== cert.size)
      throw new ApplianceError('internal', `${cert.name} has changed its length`)
    await writeMember(file, cert.at, cert.name, signed)
  }
  for (const { name, content, at } of extras) await writeMember(file, at, name, content)
}

async function writeMember(file: FileHandle, at: number, name: string, content: Buffer): Promise<void> {
  await writeAt(file, at, Buffer.concat([ustarHeader(name, content.length), content]))
}
