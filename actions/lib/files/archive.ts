import type { Bytes } from './bytes.ts'
import { BLOCK, padded } from './ustar.ts'

/** A member of a tar archive of whatever kind, as its header has it. */
export interface Member {
  name: string
  /** Of its header and of its content in the archive. */
  header: number
  offset: number
  size: number
  /** The type flag; `0` is a plain file, `x` and `g` are PAX headers, `L` and `K` GNU's long names. */
  type: string
  format: 'ustar' | 'gnu' | 'old'
  mode: number
  uid: number
  gid: number
  /** Its name; empty where there is none. */
  owner: string
  /** Whether its checksum is written as tar programs write it. */
  usualChecksum: boolean
}

export type ArchiveFault =
  /** No header where one belongs; nothing after it can be read. */
  | { kind: 'header'; at: number }
  | { kind: 'cut-short'; at: number; name: string; missing: number }
  | { kind: 'padding'; at: number; name: string }
  | { kind: 'no-end'; at: number; blocks: number }
  | { kind: 'after-end'; at: number }
  | { kind: 'too-many'; at: number }

export interface Archive {
  members: Member[]
  faults: ArchiveFault[]
}

/** An archive with more members than these is no appliance. */
const MOST_MEMBERS = 1000
/** Longest PAX or GNU header that is read, bytes. */
const LONGEST_EXTENSION = 64 << 10

/**
 * Reads a tar archive's headers, of any kind and however damaged; says all that is wrong instead of throwing.
 *
 * @see POSIX.1-2017 pax, "ustar Interchange Format" and "pax Header Block"; GNU tar manual, "Basic Tar Format"
 */
export async function readArchive(bytes: Bytes, signal: AbortSignal): Promise<Archive> {
  const members: Member[] = []
  const faults: ArchiveFault[] = []
  let extension: { name?: string; size?: number } = {}
  for (let at = 0; ; ) {
    signal.throwIfAborted()
    const block = await bytes.read(at, BLOCK)
    if (block.length === BLOCK && isZero(block)) {
      faults.push(...(await endFaults(bytes, at, signal)))
      break
    }
    if (block.length === 0) {
      faults.push({ kind: 'no-end', at, blocks: 0 })
      break
    }
    const member = block.length < BLOCK ? undefined : memberOf(block, at)
    if (!member) {
      faults.push({ kind: 'header', at })
      break
    }
    Object.assign(member, extension)
    const after = member.offset + padded(member.size)
    const special = 'xgLK'.includes(member.type)
    if (special) extension = { ...extension, ...(await extensionOf(bytes, member)) }
    else extension = {}
    members.push(member)
    if (after > bytes.size) {
      const missing = Math.max(0, member.offset + member.size - bytes.size)
      faults.push({ kind: 'cut-short', at: bytes.size, name: member.name, missing })
      break
    }
    const rest = await bytes.read(member.offset + member.size, after - member.offset - member.size)
    if (!isZero(rest)) faults.push({ kind: 'padding', at: member.offset + member.size, name: member.name })
    if (members.length >= MOST_MEMBERS) {
      faults.push({ kind: 'too-many', at })
      break
    }
    at = after
  }
  return { members, faults }
}

/** Two blocks of zeros end an archive; what follows them is zeros, too (a tape's record). */
async function endFaults(bytes: Bytes, at: number, signal: AbortSignal): Promise<ArchiveFault[]> {
  const second = await bytes.read(at + BLOCK, BLOCK)
  if (second.length < BLOCK) return [{ kind: 'no-end', at, blocks: 1 }]
  for (let position = at + BLOCK; position < bytes.size; position += 1 << 20) {
    signal.throwIfAborted()
    const piece = await bytes.read(position, 1 << 20)
    const odd = piece.findIndex((byte) => byte !== 0)
    if (odd >= 0) return [{ kind: 'after-end', at: position + odd }]
  }
  return bytes.size % BLOCK === 0 ? [] : [{ kind: 'after-end', at: bytes.size - (bytes.size % BLOCK) }]
}

function memberOf(block: Buffer, at: number): Member | undefined {
  let sum = 0
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : block[i]!
  const checksum = block.toString('latin1', 148, 156)
  const size = numberIn(block, 124, 12)
  if (sum !== octalIn(checksum) || !Number.isSafeInteger(size) || size < 0) return undefined
  const magic = block.toString('latin1', 257, 265)
  const format = magic === 'ustar\x0000' ? 'ustar' : magic === 'ustar  \0' ? 'gnu' : 'old'
  const prefix = format === 'ustar' ? textIn(block, 345, 155) : ''
  const name = textIn(block, 0, 100)
  const type = block[156] === 0 ? '0' : String.fromCharCode(block[156]!)
  return {
    name: prefix ? `${prefix}/${name}` : name,
    header: at,
    offset: at + BLOCK,
    // Links and folders have no content, whatever their size says.
    size: '123456'.includes(type) ? 0 : size,
    type,
    format,
    mode: numberIn(block, 100, 8),
    uid: numberIn(block, 108, 8),
    gid: numberIn(block, 116, 8),
    owner: format === 'old' ? '' : textIn(block, 265, 32),
    usualChecksum: /^[0-7]{6}\0 $|^[0-7]{7}\0$/.test(checksum),
  }
}

/** What a PAX header or a GNU long name says of the member that follows. */
async function extensionOf(bytes: Bytes, member: Member): Promise<{ name?: string; size?: number }> {
  const content = await bytes.read(member.offset, Math.min(member.size, LONGEST_EXTENSION))
  if (member.type === 'L') return { name: textIn(content, 0, content.length) }
  if (member.type !== 'x') return {}
  const said: { name?: string; size?: number } = {}
  for (const [, key, value] of content.toString('utf8').matchAll(/^\d+ (path|size)=(.*)$/gm)) {
    if (key === 'path') said.name = value!
    else if (/^\d{1,15}$/.test(value!)) said.size = Number(value)
  }
  return said
}

function textIn(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length)
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end === -1 ? length : end)
}

function octalIn(text: string): number {
  const digits = text.replace(/[\0 ]+$/, '').trimStart()
  return digits === '' ? 0 : /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN
}

/** Octal digits, or base 256 where the first bit is set. */
function numberIn(block: Buffer, start: number, length: number): number {
  if ((block[start]! & 0x80) === 0) return octalIn(block.toString('latin1', start, start + length))
  let value = block[start]! & 0x3f
  for (let i = start + 1; i < start + length; i++) value = value * 256 + block[i]!
  return value
}

export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}
