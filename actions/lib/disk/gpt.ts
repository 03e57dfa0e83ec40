import { ApplianceError } from '../errors/error.ts'
import { crc32 } from '../files/crc.ts'

/**
 * GUID partition tables on disks with sectors of 512 bytes.
 *
 * @see UEFI Specification 2.10, section 5.3
 */
const SECTOR = 512

/** Discoverable Partitions Specification: root of an x86-64 Linux. */
export const LINUX_ROOT_X86_64 = '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709'

export interface Partition {
  /** 1-based, as in /dev/sda1. */
  number: number
  /** Type GUID, upper case; of an MBR's partitions its type, two digits: `83`. */
  type: string
  /** Bytes. */
  start: number
  length: number
}

/** Where a partition lies, and is to end. */
export type Placed = Pick<Partition, 'number' | 'start' | 'length'>

/** Bytes at the beginning of a disk that hold its protective MBR, primary GPT header and entries. */
export const GPT_HEAD = 34 * SECTOR

/** Bytes at its end that hold the backup of both. */
export const GPT_TAIL = 33 * SECTOR

interface Table {
  header: Buffer
  entries: Buffer
}

function readTable(head: Buffer): Table {
  const header = Buffer.from(head.subarray(SECTOR, 2 * SECTOR))
  if (!isGpt(head))
    throw new ApplianceError('input', 'the disk has no GPT partition table', {
      hint: 'Only disks with a GUID partition table can be sealed; the bootstrap basebox makes one.',
    })
  const at = Number(header.readBigUInt64LE(72)) * SECTOR
  const size = header.readUInt32LE(80) * header.readUInt32LE(84)
  if (at + size > head.length)
    throw new ApplianceError('input', "the disk's GPT has more entries than usual (128)")
  return { header, entries: Buffer.from(head.subarray(at, at + size)) }
}

/** Whether a disk begins with a GUID partition table; others have an MBR's. */
export function isGpt(head: Buffer): boolean {
  return head.toString('latin1', SECTOR, SECTOR + 8) === 'EFI PART'
}

/** @param head the first {@link GPT_HEAD} bytes of the disk */
export function partitions(head: Buffer): Partition[] {
  const { header, entries } = readTable(head)
  const entrySize = header.readUInt32LE(84)
  const found: Partition[] = []
  for (let at = 0; at + entrySize <= entries.length; at += entrySize) {
    const type = guid(entries.subarray(at, at + 16))
    if (type === '00000000-0000-0000-0000-000000000000') continue
    const first = Number(entries.readBigUInt64LE(at + 32))
    const last = Number(entries.readBigUInt64LE(at + 40))
    found.push({
      number: at / entrySize + 1,
      type,
      start: first * SECTOR,
      length: (last - first + 1) * SECTOR,
    })
  }
  return found
}

/** What is to be written where so that a table fits a disk that has become larger or smaller. */
export interface Relocation {
  position: number
  bytes: Buffer
}

/**
 * Moves the backup table to the new end of a disk and makes the room before it usable; partitions stay as they are, but
 * for one that is to have another length.
 *
 * @param head the first {@link GPT_HEAD} bytes
 * @param oldSize bytes the disk had
 * @param newSize bytes it has now
 */
export function relocateBackup(
  head: Buffer,
  oldSize: number,
  newSize: number,
  resized?: Placed,
): Relocation[] {
  const { header: primary, entries } = readTable(head)
  if (resized) {
    const lastLba = (resized.start + resized.length) / SECTOR - 1
    entries.writeBigUInt64LE(BigInt(lastLba), (resized.number - 1) * primary.readUInt32LE(84) + 40)
  }
  const entrySectors = Math.ceil(entries.length / SECTOR)
  const lastSector = newSize / SECTOR - 1
  primary.writeBigUInt64LE(BigInt(lastSector), 32)
  primary.writeBigUInt64LE(BigInt(lastSector - entrySectors - 1), 48)
  seal(primary, entries)
  const backup = Buffer.from(primary)
  backup.writeBigUInt64LE(BigInt(lastSector), 24)
  backup.writeBigUInt64LE(1n, 32)
  backup.writeBigUInt64LE(BigInt(lastSector - entrySectors), 72)
  seal(backup, entries)
  const paddedEntries = Buffer.alloc(entrySectors * SECTOR)
  entries.copy(paddedEntries)

  const mbr = Buffer.from(head.subarray(0, SECTOR))
  if (mbr[450] === 0xee) mbr.writeUInt32LE(Math.min(lastSector, 0xffff_ffff), 458)
  const oldBackup = oldSize - (entrySectors + 1) * SECTOR
  const before = { position: oldBackup, bytes: Buffer.alloc((entrySectors + 1) * SECTOR) }
  return [
    ...(oldSize < newSize ? [before] : []),
    { position: 0, bytes: Buffer.concat([mbr, primary]) },
    // Where the primary's entries lie is not always right behind it.
    { position: Number(primary.readBigUInt64LE(72)) * SECTOR, bytes: entries },
    { position: newSize - (entrySectors + 1) * SECTOR, bytes: Buffer.concat([paddedEntries, backup]) },
  ]
}

function seal(header: Buffer, entries: Buffer): void {
  header.writeUInt32LE(crc32(entries), 88)
  header.writeUInt32LE(0, 16)
  header.writeUInt32LE(crc32(header.subarray(0, header.readUInt32LE(12))), 16)
}

/** The mixed-endian text form of a GUID. */
function guid(bytes: Buffer): string {
  const parts = [
    Buffer.from(bytes.subarray(0, 4)).reverse(),
    Buffer.from(bytes.subarray(4, 6)).reverse(),
    Buffer.from(bytes.subarray(6, 8)).reverse(),
    bytes.subarray(8, 10),
    bytes.subarray(10, 16),
  ]
  return parts
    .map((part) => part.toString('hex'))
    .join('-')
    .toUpperCase()
}
