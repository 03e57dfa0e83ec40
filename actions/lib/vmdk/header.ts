import { SECTOR } from './vmdk.ts'

/** A SparseExtentHeader as it is found in a file; sizes in bytes unless they say sectors. */
export interface SparseHeader {
  version: number
  flags: number
  capacity: number
  grain: number
  descriptorAt: number
  descriptorLength: number
  entriesPerTable: number
  /** Sector of the grain directory; undefined where it says "at the end". */
  directorySector: number | undefined
  overhead: number
  unclean: boolean
  /** Whether the bytes that show a transfer in text mode are as they were. */
  newlinesIntact: boolean
  compression: number
}

export const FLAG = { newlineTest: 1, compressed: 1 << 16, markers: 1 << 17 } as const

/** @returns undefined where it is none, or where its numbers are no numbers of sectors */
export function readSparseHeader(sector: Buffer): SparseHeader | undefined {
  if (sector.length < SECTOR || sector.toString('latin1', 0, 4) !== 'KDMV') return undefined
  const sectors = (at: number) => Number(sector.readBigUInt64LE(at)) * SECTOR
  const directory = sector.readBigUInt64LE(56)
  return {
    version: sector.readUInt32LE(4),
    flags: sector.readUInt32LE(8),
    capacity: sectors(12),
    grain: sectors(20),
    descriptorAt: sectors(28),
    descriptorLength: sectors(36),
    entriesPerTable: sector.readUInt32LE(44),
    directorySector: directory === 0xffff_ffff_ffff_ffffn ? undefined : Number(directory),
    overhead: sectors(64),
    unclean: sector[72] !== 0,
    newlinesIntact: sector.toString('latin1', 73, 77) === '\n \r\n',
    compression: sector.readUInt16LE(77),
  }
}

/** Values of the text descriptor: `createType`, `CID`, `ddb.adapterType`. */
export function descriptorValues(text: string): Map<string, string> {
  const values = new Map<string, string>()
  for (const [, key, value] of text.matchAll(/^[ \t]*([\w.]+)[ \t]*=[ \t]*"?([^"\r\n]*)"?[ \t]*\r?$/gm))
    values.set(key!, value!)
  return values
}
