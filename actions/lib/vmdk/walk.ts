import { inflateSync } from 'node:zlib'
import { isZero } from '../files/archive.ts'
import type { Bytes } from '../files/bytes.ts'
import type { NoteFault } from './fault.ts'
import { readSparseHeader, type SparseHeader } from './header.ts'
import { GRAIN_MARKER, SECTOR } from './vmdk.ts'

const MARKER = { endOfStream: 0, table: 1, directory: 2, footer: 3 } as const

export interface Walked {
  footer: SparseHeader | undefined
  /** Grains with data. */
  grains: number
}

/** Goes through a stream marker by marker, from the first grain to the end of the file. */
export async function walkStream(
  bytes: Bytes,
  header: SparseHeader,
  thorough: boolean,
  fault: NoteFault,
  signal: AbortSignal,
): Promise<Walked> {
  const walked: Walked = { footer: undefined, grains: 0 }
  let before = -1
  let at = header.overhead
  for (;;) {
    signal.throwIfAborted()
    const sector = await bytes.read(at, SECTOR)
    if (sector.length < SECTOR) {
      fault('vmdk-end', bytes.size, 'the file ends without an end-of-stream marker')
      return walked
    }
    const size = sector.readUInt32LE(8)
    const value = Number(sector.readBigUInt64LE(0))
    if (size > 0) {
      const length = Math.ceil((GRAIN_MARKER + size) / SECTOR) * SECTOR
      // What cannot be compressed grows a little, never twofold.
      if (size > header.grain * 2 || value * SECTOR >= header.capacity || at + length > bytes.size) {
        fault('vmdk-grain', at, `a grain of ${size} bytes for sector ${value}`)
        return walked
      }
      if (value <= before)
        fault('vmdk-order', at, `the grain of sector ${value} comes after that of ${before}`)
      if ((value * SECTOR) % header.grain !== 0) fault('vmdk-grain', at, `sector ${value} begins no grain`)
      if (thorough) await unpack(bytes, header, at, value, size, length, fault)
      before = value
      walked.grains++
      at += length
      continue
    }
    const type = sector.readUInt32LE(12)
    if (type === MARKER.endOfStream && value === 0) {
      if (!isZero(sector)) fault('vmdk-padding', at, 'bytes after the end-of-stream marker')
      if (at + SECTOR < bytes.size)
        fault('vmdk-slack', at + SECTOR, `${bytes.size - at - SECTOR} bytes follow the end of the stream`)
      if (header.directorySector === undefined && !walked.footer)
        fault('vmdk-footer', at, 'the header points to a footer, and there is none')
      return walked
    }
    if (type > MARKER.footer || type === MARKER.endOfStream || at + SECTOR + value * SECTOR > bytes.size) {
      fault('vmdk-end', at, `a marker of type ${type} with ${value} sectors`)
      return walked
    }
    if (!isZero(sector.subarray(16))) fault('vmdk-padding', at + 16, 'bytes after a marker')
    if (type === MARKER.footer) {
      walked.footer = readSparseHeader(await bytes.read(at + SECTOR, SECTOR))
      judgeFooter(walked.footer, header, at + SECTOR, bytes.size, fault)
    }
    at += SECTOR + value * SECTOR
  }
}

async function unpack(
  bytes: Bytes,
  header: SparseHeader,
  at: number,
  sector: number,
  size: number,
  length: number,
  fault: NoteFault,
): Promise<void> {
  const packed = await bytes.read(at, length)
  const data = packed.subarray(GRAIN_MARKER, GRAIN_MARKER + size)
  try {
    const { length: unpacked } = inflateSync(data, { maxOutputLength: header.grain })
    if (unpacked !== header.grain && unpacked !== header.capacity - sector * SECTOR)
      fault('vmdk-grain', at, `the grain of sector ${sector} has ${unpacked} bytes`)
  } catch (error) {
    fault('vmdk-grain', at, `the grain of sector ${sector} cannot be unpacked: ${(error as Error).message}`)
  }
  if (!isZero(packed.subarray(GRAIN_MARKER + size)))
    fault('vmdk-padding', at + GRAIN_MARKER + size, 'bytes after a grain')
}

/** The footer is the header, with the directory's place. */
function judgeFooter(
  footer: SparseHeader | undefined,
  header: SparseHeader,
  at: number,
  size: number,
  fault: NoteFault,
): void {
  if (!footer) {
    fault('vmdk-footer', at, 'it does not begin with KDMV')
    return
  }
  if (footer.capacity !== header.capacity || footer.grain !== header.grain)
    fault('vmdk-footer', at, `capacity ${footer.capacity}, the header says ${header.capacity}`)
  if (footer.directorySector === undefined || footer.directorySector * SECTOR >= size)
    fault('vmdk-footer', at, 'it does not say where the grain directory is')
  if (at !== size - 2 * SECTOR)
    fault('vmdk-footer', at, 'footer and end of stream are not the last two sectors')
}
