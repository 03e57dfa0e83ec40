import { type FileHandle, open } from 'node:fs/promises'
import { ApplianceError } from '../../lib/errors/error.ts'
import { bytesAt, writeAt } from '../../lib/files/at.ts'
import { crc32c } from '../../lib/files/crc.ts'
import { sha256, sha256File } from '../../lib/files/digest.ts'
import { run } from '../../lib/process/command.ts'

/**
 * Where things are in a VHDX file. Bytes.
 *
 * @see [MS-VHDX], sections 2.2 (file identifier, headers, region table), 2.3 (log), 2.6 (metadata)
 */
const CREATOR = { at: 8, length: 512 }
const HEADERS = [64 << 10, 128 << 10]
const HEADER_LENGTH = 4096
const REGION_TABLES = [192 << 10, 256 << 10]
const REGION_TABLE_LENGTH = 64 << 10
/** GUIDs as they stand in the file. */
const METADATA_REGION = '06a27c8b90479a4bb8fe575f050f886e'
const VIRTUAL_DISK_ID = 'ab12cabee6b2234593efc309e000c746'

/**
 * A raw disk as a dynamic VHDX for Hyper-V, by qemu-img. That gives it random identifiers, and its own version: here
 * they come from the content, so that the bytes are the same every time.
 */
export async function packVhdx(disk: string, path: string, signal: AbortSignal): Promise<void> {
  const options = ['-q', '-f', 'raw', '-O', 'vhdx', '-o', 'subformat=dynamic']
  await run('qemu-img', ['convert', ...options, disk, path], { signal })
  await using file = await open(path, 'r+')
  await emptyLog(file)
  await number(file)
  await requireRegions(file)
  const creator = Buffer.alloc(CREATOR.length)
  creator.write('appliance', 'utf16le')
  await writeAt(file, CREATOR.at, creator)

  const diskId = await diskIdAt(file)
  await identify(file, diskId, () => Buffer.alloc(16))
  const content = await sha256File(path, signal)
  await identify(file, diskId, (what) => Buffer.from(sha256(`${what} ${content}`).slice(0, 32), 'hex'))
  await file.datasync()
}

/** The headers' sequence begins at random; the later one, which counts, is 2. */
async function number(file: FileHandle): Promise<void> {
  const sequence = (header: Buffer) => header.readBigUInt64LE(8)
  const [one, two] = [await bytesAt(file, HEADERS[0]!, 16), await bytesAt(file, HEADERS[1]!, 16)]
  const later = sequence(one) > sequence(two) ? one : two
  for (const header of [one, two]) header.writeBigUInt64LE(header === later ? 2n : 1n, 8)
  await writeAt(file, HEADERS[0]!, one)
  await writeAt(file, HEADERS[1]!, two)
}

/** Both headers, with their checksums, and the disk's own identifier. */
async function identify(file: FileHandle, diskId: number, guid: (what: string) => Buffer): Promise<void> {
  for (const at of HEADERS) {
    const header = await bytesAt(file, at, HEADER_LENGTH)
    guid('file').copy(header, 16)
    guid(`data ${at}`).copy(header, 32)
    seal(header)
    await writeAt(file, at, header)
  }
  await writeAt(file, diskId, guid('disk'))
}

/** What the log holds has been replayed: its identifier in the headers is zero. */
async function emptyLog(file: FileHandle): Promise<void> {
  const header = await bytesAt(file, HEADERS[0]!, HEADER_LENGTH)
  if (header.toString('latin1', 0, 4) !== 'head' || header.subarray(48, 64).some((byte) => byte !== 0))
    throw new ApplianceError('internal', 'qemu-img has written a VHDX whose log is not empty')
  const length = header.readUInt32LE(68)
  await writeAt(file, Number(header.readBigUInt64LE(72)), Buffer.alloc(length))
}

/** Both regions are required (2.2.3.1), and VirtualBox insists; qemu-img marks them as not. */
async function requireRegions(file: FileHandle): Promise<void> {
  for (const at of REGION_TABLES) {
    const table = await bytesAt(file, at, REGION_TABLE_LENGTH)
    const count = table.readUInt32LE(8)
    for (let entry = 16; entry < 16 + count * 32; entry += 32) table.writeUInt32LE(1, entry + 28)
    seal(table)
    await writeAt(file, at, table)
  }
}

/** With the checksum of headers and region tables. */
function seal(bytes: Buffer): void {
  bytes.writeUInt32LE(0, 4)
  bytes.writeUInt32LE(crc32c(bytes), 4)
}

/** Where the virtual disk's identifier is. */
async function diskIdAt(file: FileHandle): Promise<number> {
  const regions = await bytesAt(file, REGION_TABLES[0]!, REGION_TABLE_LENGTH)
  const region = entry(regions, 16, regions.readUInt32LE(8), METADATA_REGION)
  const metadataAt = Number(regions.readBigUInt64LE(region + 16))
  const table = await bytesAt(file, metadataAt, 64 << 10)
  const item = entry(table, 32, table.readUInt16LE(10), VIRTUAL_DISK_ID)
  return metadataAt + table.readUInt32LE(item + 16)
}

/** The offset of the entry, of 32 bytes, that begins with a GUID. */
function entry(table: Buffer, first: number, count: number, guid: string): number {
  for (let at = first; at < first + count * 32; at += 32)
    if (table.toString('hex', at, at + 16) === guid) return at
  throw new ApplianceError('internal', `qemu-img has written a VHDX without ${guid}`)
}
