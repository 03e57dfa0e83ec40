import { open } from 'node:fs/promises'
import { ApplianceError } from '../../lib/errors/error.ts'

const BLOCK = 512

/** A file inside a tar archive, by where its bytes lie. */
export interface TarMember {
  name: string
  /** Of its first byte in the archive. */
  offset: number
  size: number
}

/** What a tar header says; undefined for the zero block that ends an archive. */
export interface TarHeader {
  name: string
  size: number
  /** `0` is a plain file. */
  type: string
}

/**
 * Reads one 512-byte header.
 *
 * @see POSIX.1-2017 pax, "ustar Interchange Format"; sizes of 8 GiB and more are base-256 (GNU)
 * @returns undefined for a block of zeros, `'damaged'` when the checksum does not fit
 */
export function readTarHeader(block: Buffer): TarHeader | undefined | 'damaged' {
  if (block.every((byte) => byte === 0)) return undefined
  let sum = 0
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : block[i]!
  if (sum !== octal(block, 148, 8)) return 'damaged'
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? text(block, 345, 155) : ''
  const name = text(block, 0, 100)
  return {
    name: prefix ? `${prefix}/${name}` : name,
    size: block[124]! & 0x80 ? Number(block.readBigUInt64BE(128)) : octal(block, 124, 12),
    type: block[156] === 0 ? '0' : String.fromCharCode(block[156]!),
  }
}

function text(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length)
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end === -1 ? length : end)
}

function octal(block: Buffer, start: number, length: number): number {
  return Number.parseInt(text(block, start, length).trim() || '0', 8)
}

/** The members of an OVA in their order. Only plain files with plain names may be in it (DSP0243 5.3). */
export async function tarMembers(path: string): Promise<TarMember[]> {
  const members: TarMember[] = []
  await using file = await open(path)
  const { size: whole } = await file.stat()
  const block = Buffer.alloc(BLOCK)
  for (let at = 0; at < whole; ) {
    const { bytesRead } = await file.read(block, 0, BLOCK, at)
    const header = bytesRead < BLOCK ? 'damaged' : readTarHeader(block)
    if (header === undefined) return members
    if (header === 'damaged') throw broken(path, `no tar header at byte ${at}`)
    if (header.type !== '0' || header.name === '' || header.name.includes('/'))
      throw broken(path, `its member ${JSON.stringify(header.name)} is not a plain file with a plain name`)
    const offset = at + BLOCK
    if (!(header.size >= 0) || offset + header.size > whole) throw broken(path, `${header.name} is cut short`)
    members.push({ name: header.name, offset, size: header.size })
    at = offset + Math.ceil(header.size / BLOCK) * BLOCK
  }
  return members
}

/** An OVA that cannot be what it says it is. */
export function broken(path: string, what: string): ApplianceError {
  return new ApplianceError('check-failed', `${path} is not a sound OVA: ${what}`, {
    hint: 'Pack it again, or fetch it again if it was copied.',
  })
}
