import type { GuestInode, Piece } from '../guest-files.ts'

/**
 * XFS, version 5, as it lies on disk. All numbers are big-endian. Pure.
 *
 * @see XFS Algorithms & Data Structures, 3rd edition; Linux, fs/xfs/libxfs/xfs_format.h and xfs_da_format.h
 */
export interface XfsGeometry {
  /** Bytes. */
  blockSize: number
  sectorSize: number
  inodeSize: number
  /** Of a folder's blocks. Bytes. */
  folderBlock: number
  /** Blocks. */
  blocks: number
  freeBlocks: number
  groupBlocks: number
  groups: number
  /** Binary logarithms: blocks of a group, inodes of a block. */
  groupLog: number
  inodesLog: number
  rootInode: number
  /** The journal: its first byte and its length; undefined where it is on another device. */
  log: { start: number; length: number } | undefined
  uuid: Buffer
  label: string
}

export interface XfsInode extends GuestInode {
  number: number
  uid: number
  gid: number
  format: 'local' | 'extents' | 'btree' | 'other'
  extents: number
  /** The inode's own part of its content, or the root of what leads to it. */
  fork: Buffer
}

/** Of a `sb_features_incompat` that this reader knows: all up to parent pointers; a file system with others is not read. */
const KNOWN = 0xff
const NEEDS_REPAIR = 1 << 4

/** @returns undefined where there is no XFS of version 5 that can be read */
export function xfsGeometry(s: Buffer): XfsGeometry | undefined {
  if (s.length < 264 || s.toString('latin1', 0, 4) !== 'XFSB' || (s.readUInt16BE(100) & 15) !== 5)
    return undefined
  const incompatible = s.readUInt32BE(216)
  if ((incompatible & ~KNOWN) !== 0 || (incompatible & NEEDS_REPAIR) !== 0) return undefined
  const blockSize = s.readUInt32BE(4)
  const [groupBlocks, groups] = [s.readUInt32BE(84), s.readUInt32BE(88)]
  const [groupLog, inodesLog] = [s[124]!, s[123]!]
  if (
    blockSize < 512 ||
    blockSize > 65_536 ||
    1 << s[120]! !== blockSize ||
    groupBlocks === 0 ||
    groups === 0 ||
    s[192]! > 7
  )
    return undefined
  const logStart = wide(s, 48)
  const geometry = {
    blockSize,
    sectorSize: s.readUInt16BE(102),
    inodeSize: s.readUInt16BE(104),
    folderBlock: blockSize << s[192]!,
    blocks: wide(s, 8),
    freeBlocks: wide(s, 144),
    groupBlocks,
    groups,
    groupLog,
    inodesLog,
    rootInode: wide(s, 56),
    uuid: Buffer.from(s.subarray(32, 48)),
    label: s.toString('utf8', 108, 120).replace(/\0.*$/s, ''),
  }
  if (geometry.inodeSize < 256 || geometry.inodeSize > 2048 || geometry.folderBlock > 65_536) return undefined
  const log = logStart && { start: blockAt(geometry, logStart), length: s.readUInt32BE(96) * blockSize }
  return { ...geometry, log: log || undefined }
}

/** Byte of a block that is named by its group and its place in there. */
export function blockAt(
  { groupLog, groupBlocks, blockSize }: Pick<XfsGeometry, 'groupLog' | 'groupBlocks' | 'blockSize'>,
  block: number,
): number {
  const group = Math.floor(block / 2 ** groupLog)
  return (group * groupBlocks + (block % 2 ** groupLog)) * blockSize
}

/** Byte of an inode. */
export function inodeAt(geometry: XfsGeometry, number: number): number {
  const inBlock = 2 ** geometry.inodesLog
  return blockAt(geometry, Math.floor(number / inBlock)) + (number % inBlock) * geometry.inodeSize
}

const CORE = 176
const FORMATS = ['other', 'local', 'extents', 'btree'] as const

/** @returns undefined where no file's inode is */
export function xfsInode(bytes: Buffer, number: number): XfsInode | undefined {
  if (bytes.length < CORE || bytes.toString('latin1', 0, 2) !== 'IN' || wide(bytes, 152) !== number)
    return undefined
  const mode = bytes.readUInt16BE(2)
  if (mode === 0) return undefined
  const manyExtents = (bytes.readUInt32BE(124) & (1 << 4)) !== 0
  const forkLength = bytes[82] === 0 ? bytes.length - CORE : bytes[82]! * 8
  return {
    number,
    mode,
    uid: bytes.readUInt32BE(8),
    gid: bytes.readUInt32BE(12),
    size: wide(bytes, 56),
    format: FORMATS[bytes[5]!] ?? 'other',
    extents: manyExtents ? wide(bytes, 24) : bytes.readUInt32BE(76),
    fork: Buffer.from(bytes.subarray(CORE, CORE + forkLength)),
  }
}

/** Extents as records of 128 bits; those that are reserved and not written are zeros, and left out. */
export function extentRecords(geometry: XfsGeometry, records: Buffer, count: number): Piece[] {
  const found: Piece[] = []
  for (let i = 0; i < count && (i + 1) * 16 <= records.length; i++) {
    const [high, low] = [records.readBigUInt64BE(i * 16), records.readBigUInt64BE(i * 16 + 8)]
    if (high >> 63n) continue
    const block = ((high & 0x1ffn) << 43n) | (low >> 21n)
    found.push({
      at: Number((high >> 9n) & 0x3f_ffff_ffff_ffffn) * geometry.blockSize,
      start: blockAt(geometry, Number(block)),
      length: Number(low & 0x1f_ffffn) * geometry.blockSize,
    })
  }
  return found
}

/** A B-tree block: its level, what it holds, and how long its header is. */
export interface TreeBlock {
  level: number
  count: number
  body: Buffer
}

/** Long blocks (of extents) have a header of 72 bytes, short ones (within a group) of 56. */
export function treeBlock(block: Buffer, magic: string): TreeBlock | undefined {
  if (block.toString('latin1', 0, 4) !== magic) return undefined
  const header = magic === 'BMA3' ? 72 : 56
  return { level: block.readUInt16BE(4), count: block.readUInt16BE(6), body: block.subarray(header) }
}

export interface XfsEntry {
  inode: number
  name: string
  kind: 'file' | 'folder' | 'link' | 'other'
}

const kinds: Record<number, XfsEntry['kind']> = { 1: 'file', 2: 'folder', 7: 'link' }

/** A small folder's entries, which its inode holds. */
export function* shortEntries(fork: Buffer): Generator<XfsEntry> {
  if (fork.length < 6) return
  const wideNumbers = fork[1]! > 0
  const numberLength = wideNumbers ? 8 : 4
  let at = 2 + numberLength
  for (let i = 0; i < fork[0]!; i++) {
    const length = fork[at]!
    const end = at + 3 + length
    if (end + 1 + numberLength > fork.length) return
    yield {
      name: fork.toString('utf8', at + 3, end),
      kind: kinds[fork[end]!] ?? 'other',
      inode: wideNumbers ? wide(fork, end + 1) : fork.readUInt32BE(end + 1),
    }
    at = end + 1 + numberLength
  }
}

/** The entries in one of a folder's blocks: `XDB3` is all of a folder, `XDD3` one block of several. */
export function* blockEntries(block: Buffer): Generator<XfsEntry> {
  const magic = block.toString('latin1', 0, 4)
  if (magic !== 'XDB3' && magic !== 'XDD3') return
  // The only block ends with the index: eight bytes an entry, then their number and how many of them are stale.
  const end = magic === 'XDB3' ? block.length - 8 - block.readUInt32BE(block.length - 8) * 8 : block.length
  for (let at = 64; at + 12 <= end; ) {
    if (block.readUInt16BE(at) === 0xffff) {
      const unused = block.readUInt16BE(at + 2)
      if (unused < 8) return
      at += unused
      continue
    }
    const length = block[at + 8]!
    const nameEnd = at + 9 + length
    if (nameEnd >= end) return
    yield {
      inode: wide(block, at),
      name: block.toString('utf8', at + 9, nameEnd),
      kind: kinds[block[nameEnd]!] ?? 'other',
    }
    at += Math.ceil((8 + 1 + length + 1 + 2) / 8) * 8
  }
}

/** A number of 64 bits; none on a disk is larger than a double holds. */
export function wide(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64BE(at))
}
