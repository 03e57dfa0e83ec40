import { isZero } from '../files/archive.ts'
import type { Bytes } from '../files/bytes.ts'
import { readAhead } from '../files/read-ahead.ts'
import { GrainDirectory } from './directory.ts'
import type { NoteFault, VmdkFault, VmdkFaultKind } from './fault.ts'
import { descriptorValues, FLAG, readSparseHeader, type SparseHeader } from './header.ts'
import { SECTOR } from './vmdk.ts'
import { walkStream } from './walk.ts'

export interface VmdkReading {
  faults: VmdkFault[]
  /** What the guest sees, in bytes; undefined when the header cannot be read. */
  capacity: number | undefined
  /** The guest's disk, as far as it can be read. */
  disk: Bytes | undefined
  /** `ddb.…` and the rest of the text descriptor. */
  values: ReadonlyMap<string, string>
}

/** Larger grains than this are no grains (VMware writes 64 KiB), and would take us memory. Bytes. */
const LARGEST_GRAIN = 1 << 20
/** Longest text descriptor, bytes. */
const LONGEST_DESCRIPTOR = 1 << 20
/** Stop counting here: a damaged stream is damaged everywhere. */
const MOST_FAULTS = 20

/**
 * Reads a streamOptimized VMDK from its first sector to its last and says all that is wrong; memory stays bounded
 * whatever is in it.
 *
 * @param thorough also unpacks every grain
 * @see "Virtual Disk Format 5.0", VMware technical note
 */
export async function readVmdk(bytes: Bytes, thorough: boolean, signal: AbortSignal): Promise<VmdkReading> {
  const faults: VmdkFault[] = []
  const fault = (kind: VmdkFaultKind, at: number, evidence: string) => {
    if (faults.length < MOST_FAULTS) faults.push({ kind, at, evidence })
  }
  const header = readSparseHeader(await bytes.read(0, SECTOR))
  const nothing = { faults, capacity: undefined, disk: undefined, values: new Map() }
  if (!header) {
    fault('vmdk-header', 0, await firstBytes(bytes))
    return nothing
  }
  const values = await textDescriptor(bytes, header, fault)
  if (!judgeHeader(header, values, fault)) return { ...nothing, values }

  const source = readAhead(bytes)
  const { footer, grains } = await walkStream(source, header, thorough, fault, signal)
  const sector = header.directorySector ?? footer?.directorySector
  const directory =
    sector === undefined ? undefined : await GrainDirectory.open(source, header, sector, fault)
  if (!directory && sector === undefined)
    fault('vmdk-directory', bytes.size, 'neither header nor footer say where the grain directory is')
  if (directory) {
    const pointed = await directory.check(fault, signal)
    if (faults.length === 0 && pointed !== grains)
      fault('vmdk-table', 0, `${grains} grains are in the stream, ${pointed} in the tables`)
  }
  return { faults, capacity: header.capacity, disk: directory?.disk(), values }
}

async function firstBytes(bytes: Bytes): Promise<string> {
  const begin = await bytes.read(0, 16)
  if (begin.toString('latin1', 0, 21).startsWith('# Disk Descriptor'))
    return 'a text descriptor without its data'
  return begin.length === 0 ? 'the file is empty' : `it begins with ${begin.toString('hex')}, not with KDMV`
}

/** @returns whether the stream can be walked at all */
function judgeHeader(header: SparseHeader, values: ReadonlyMap<string, string>, fault: NoteFault): boolean {
  const { version, flags, capacity, grain, entriesPerTable } = header
  if (version !== 3) fault('vmdk-version', 4, `version ${version}`)
  if (!header.newlinesIntact)
    fault('vmdk-text-mode', 73, 'the four bytes after "unclean" are not LF, blank, CR, LF')
  const type = values.get('createType')
  if (type !== undefined && type !== 'streamOptimized') fault('vmdk-type', SECTOR, `createType="${type}"`)
  const streamed = (flags & FLAG.compressed) !== 0 && (flags & FLAG.markers) !== 0
  if (!streamed || header.compression !== 1)
    fault('vmdk-flags', 8, `flags 0x${flags.toString(16)}, compression ${header.compression}`)
  if (header.unclean) fault('vmdk-header', 72, 'it is marked as not shut down cleanly')
  const sound =
    Number.isSafeInteger(capacity) &&
    capacity > 0 &&
    grain >= 8 * SECTOR &&
    grain <= LARGEST_GRAIN &&
    Number.isInteger(Math.log2(grain)) &&
    entriesPerTable > 0 &&
    entriesPerTable <= 65_536
  if (!sound)
    fault('vmdk-header', 12, `capacity ${capacity}, grain ${grain} bytes, ${entriesPerTable} entries a table`)
  return sound && streamed
}

async function textDescriptor(
  bytes: Bytes,
  header: SparseHeader,
  fault: NoteFault,
): Promise<Map<string, string>> {
  const { descriptorAt, descriptorLength, capacity } = header
  if (descriptorAt === 0 || descriptorLength === 0 || descriptorLength > LONGEST_DESCRIPTOR) {
    fault('vmdk-descriptor', 28, `descriptor at byte ${descriptorAt}, ${descriptorLength} bytes`)
    return new Map()
  }
  const room = await bytes.read(descriptorAt, descriptorLength)
  const end = room.indexOf(0)
  const text = room.toString('utf8', 0, end < 0 ? room.length : end)
  const values = descriptorValues(text)
  if (end >= 0 && !isZero(room.subarray(end)))
    fault('vmdk-padding', descriptorAt + end, 'bytes after the text descriptor')
  if (!values.has('createType')) fault('vmdk-descriptor', descriptorAt, 'it has no createType')
  const cid = values.get('CID')?.toLowerCase()
  if (!cid || !/^[0-9a-f]{8}$/.test(cid) || cid >= 'fffffffe')
    fault('vmdk-content-id', descriptorAt, `CID=${cid ?? '(none)'}`)
  const parent = values.get('parentCID')?.toLowerCase()
  if (parent !== undefined && parent !== 'ffffffff')
    fault('vmdk-descriptor', descriptorAt, `parentCID=${parent}: it is a snapshot that needs another disk`)
  const extent = /^\s*RDONLY\s+(\d+)\s+SPARSE|^\s*RW\s+(\d+)\s+SPARSE/m.exec(text)
  const sectors = Number(extent?.[1] ?? extent?.[2])
  if (!extent || sectors * SECTOR !== capacity)
    fault(
      'vmdk-extent',
      descriptorAt,
      extent ? `${sectors} sectors; the header says ${capacity / SECTOR}` : 'no extent',
    )
  return values
}
