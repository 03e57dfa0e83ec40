import type { Partition, Placed } from './gpt.ts'

const SECTOR = 512
/** Where the four entries of a table begin; its signature follows them. */
const ENTRIES = 446

/** Types of partitions that hold further ones, each in a table of its own. */
const EXTENDED = [0x05, 0x0f, 0x85]

/** More logical partitions than these are a table that leads into itself. */
const MOST = 60

/**
 * Partitions of a disk with an MBR, the logical ones among them, numbered as Linux does: those from 5 on.
 *
 * @param sector gives the 512 bytes at an offset in bytes
 * @see https://www.kernel.org/doc/html/latest/, block/partitions/msdos.c
 */
export async function mbrPartitions(sector: (at: number) => Promise<Buffer>): Promise<Partition[]> {
  const found: Partition[] = []
  const primary = entriesOf(await sector(0))
  for (const [index, { type, start, length }] of primary.entries())
    if (type !== 0 && !EXTENDED.includes(type)) found.push(partition(index + 1, type, start, length))
  const extended = primary.find(({ type }) => EXTENDED.includes(type))
  for (let at = extended?.start; extended && at !== undefined && found.length < MOST; ) {
    const [logical, next] = entriesOf(await sector(at * SECTOR))
    if (logical && logical.type !== 0) {
      const number = 5 + found.filter((one) => one.number >= 5).length
      found.push(partition(number, logical.type, at + logical.start, logical.length))
    }
    at = next && EXTENDED.includes(next.type) ? extended.start + next.start : undefined
  }
  return found
}

/** The partitions of a disk's first sector that hold further ones, or are to. */
export function extendedPartitions(sector: Buffer): Partition[] {
  return entriesOf(sector).flatMap(({ type, start, length }, index) =>
    EXTENDED.includes(type) ? [partition(index + 1, type, start, length)] : [],
  )
}

/** The first sector of a disk whose primary partition has another length. */
export function primaryResized(sector: Buffer, { number, length }: Placed): Buffer {
  const changed = Buffer.from(sector)
  changed.writeUInt32LE(length / SECTOR, ENTRIES + (number - 1) * 16 + 12)
  return changed
}

function partition(number: number, type: number, start: number, length: number): Partition {
  return {
    number,
    type: type.toString(16).padStart(2, '0'),
    start: start * SECTOR,
    length: length * SECTOR,
  }
}

/** Start and length in sectors; none where there is no signature. */
function entriesOf(sector: Buffer): { type: number; start: number; length: number }[] {
  if (sector.readUInt16LE(510) !== 0xaa55) return []
  return Array.from({ length: 4 }, (_, index) => {
    const at = ENTRIES + index * 16
    return { type: sector[at + 4]!, start: sector.readUInt32LE(at + 8), length: sector.readUInt32LE(at + 12) }
  })
}
