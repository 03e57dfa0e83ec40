/**
 * The streamOptimized VMDK, as pure functions from numbers to bytes. Everything is little-endian and counted in
 * sectors of 512 bytes.
 *
 * @see "Virtual Disk Format 5.0", VMware technical note, in vmware/open-vmdk: vmdk_50_technote.pdf
 */

export const SECTOR = 512
/** Bytes that are compressed together. */
export const GRAIN = 65_536
const GRAIN_SECTORS = GRAIN / SECTOR
/** Grains one grain table points to; a table covers 32 MiB of disk. */
export const GRAINS_PER_TABLE = 512
export const TABLE_SPAN = GRAIN * GRAINS_PER_TABLE
/** Bytes before the first grain: header, descriptor, and the rest of 128 sectors. */
export const OVERHEAD = GRAIN
/** Bytes before a grain's compressed data in its marker: u64 address, u32 size. */
export const GRAIN_MARKER = 12

const DESCRIPTOR_SECTOR = 1
const DESCRIPTOR_SECTORS = 20
const GD_AT_END = 0xffff_ffff_ffff_ffffn
const MARKER = { endOfStream: 0, grainTable: 1, grainDirectory: 2, footer: 3 } as const

/** Adapters of `ddb.adapterType`. */
export type AdapterType = 'lsilogic' | 'ide'

export interface VmdkIdentity {
  /** The VMDK's name, as its descriptor mentions itself. */
  name: string
  /** Bytes; a multiple of 1 MiB. */
  capacity: number
  /** Digest of what the disk holds, in hex: its content identity (CID), so that equal disks make equal files. */
  content: string
  adapterType: AdapterType
}

/** Header and embedded descriptor: the first {@link OVERHEAD} bytes of the file. */
export function vmdkHead(identity: VmdkIdentity): Buffer {
  const head = Buffer.alloc(OVERHEAD)
  sparseHeader(identity.capacity, GD_AT_END).copy(head)
  const descriptor = embeddedDescriptor(identity)
  if (Buffer.byteLength(descriptor) > DESCRIPTOR_SECTORS * SECTOR)
    throw new RangeError(`${identity.name}: this name is too long for a VMDK's descriptor`)
  head.write(descriptor, DESCRIPTOR_SECTOR * SECTOR)
  return head
}

/**
 * SparseExtentHeader. Version 3, since ESXi calls lower ones too old; flags: newline test valid (bit 0), grains
 * compressed (16), markers (17).
 */
function sparseHeader(capacity: number, directorySector: bigint): Buffer {
  const header = Buffer.alloc(SECTOR)
  header.write('KDMV', 0)
  header.writeUInt32LE(3, 4)
  header.writeUInt32LE(0x30001, 8)
  header.writeBigUInt64LE(BigInt(capacity / SECTOR), 12)
  header.writeBigUInt64LE(BigInt(GRAIN_SECTORS), 20)
  header.writeBigUInt64LE(BigInt(DESCRIPTOR_SECTOR), 28)
  header.writeBigUInt64LE(BigInt(DESCRIPTOR_SECTORS), 36)
  header.writeUInt32LE(GRAINS_PER_TABLE, 44)
  header.writeBigUInt64LE(0n, 48)
  header.writeBigUInt64LE(directorySector, 56)
  header.writeBigUInt64LE(BigInt(OVERHEAD / SECTOR), 64)
  header.write('\n \r\n', 73, 'latin1')
  header.writeUInt16LE(1, 77)
  return header
}

/** The text descriptor. Content identities 0xffffffff and 0xfffffffe are reserved ("no parent"). */
function embeddedDescriptor({ name, capacity, content, adapterType }: VmdkIdentity): string {
  const sectors = capacity / SECTOR
  const cid = content.slice(0, 8) >= 'fffffffe' ? '0fffffff' : content.slice(0, 8)
  const heads = adapterType === 'ide' ? 16 : 255
  const cylinders = Math.min(
    Math.max(Math.floor(sectors / (heads * 63)), 1),
    adapterType === 'ide' ? 16383 : 65535,
  )
  return `# Disk DescriptorFile
version=1
CID=${cid}
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RDONLY ${sectors} SPARSE "${name}"

# The Disk Data Base
#DDB

ddb.adapterType = "${adapterType}"
ddb.geometry.cylinders = "${cylinders}"
ddb.geometry.heads = "${heads}"
ddb.geometry.sectors = "63"
ddb.longContentID = "${content.slice(8, 32)}${cid}"
ddb.toolsInstallType = "4"
ddb.toolsVersion = "2147483647"
ddb.virtualHWVersion = "13"
`
}

/**
 * The sectors of a file as it grows: takes grains in the order of their addresses and says what to write after
 * each group of them. Each grain table follows its grains, so the file is written in one pass.
 */
export class GrainIndex {
  readonly #directory: Uint32Array
  readonly #capacity: number
  #table = new Uint32Array(GRAINS_PER_TABLE)
  #current = 0
  #used = false

  /** @param capacity bytes of the disk */
  constructor(capacity: number) {
    this.#capacity = capacity
    this.#directory = new Uint32Array(Math.ceil(capacity / TABLE_SPAN))
  }

  /**
   * Notes that the grain with number `grain` (disk address / 64 KiB) lies at `sector`. Every earlier table must
   * have been closed by {@link closeTable}.
   */
  place(grain: number, sector: number): void {
    this.#table[grain % GRAINS_PER_TABLE] = sector
    this.#current = Math.floor(grain / GRAINS_PER_TABLE)
    this.#used = true
  }

  /** The table grain `grain` belongs to. */
  tableOf(grain: number): number {
    return Math.floor(grain / GRAINS_PER_TABLE)
  }

  /** What is written at `sector` after a table's last grain; undefined when none of its grains has data. */
  closeTable(sector: number): Buffer | undefined {
    if (!this.#used) return undefined
    const bytes = marked(MARKER.grainTable, this.#table)
    this.#directory[this.#current] = sector + 1
    this.#table = new Uint32Array(GRAINS_PER_TABLE)
    this.#used = false
    return bytes
  }

  /** Directory, footer and end of stream: the last bytes of the file, nothing follows (DESIGN §8). */
  end(sector: number): Buffer {
    const directory = marked(MARKER.grainDirectory, this.#directory)
    const footer = Buffer.concat([
      marker(MARKER.footer, 1),
      sparseHeader(this.#capacity, BigInt(sector + 1)),
      marker(MARKER.endOfStream, 0),
    ])
    return Buffer.concat([directory, footer])
  }
}

/** A metadata marker: u64 sectors that follow, u32 0, u32 type, zeros. */
function marker(type: number, sectors: number): Buffer {
  const bytes = Buffer.alloc(SECTOR)
  bytes.writeBigUInt64LE(BigInt(sectors), 0)
  bytes.writeUInt32LE(type, 12)
  return bytes
}

function marked(type: number, entries: Uint32Array): Buffer {
  const sectors = Math.ceil((entries.length * 4) / SECTOR)
  const body = Buffer.alloc(sectors * SECTOR)
  for (const [index, entry] of entries.entries()) body.writeUInt32LE(entry, index * 4)
  return Buffer.concat([marker(type, sectors), body])
}
