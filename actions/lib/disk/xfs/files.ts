import { type Bytes, partOf } from '../../files/bytes.ts'
import type { Extent } from '../extents.ts'
import { GuestFiles, kindOf, type Piece, uuidText } from '../guest-files.ts'
import {
  blockAt,
  blockEntries,
  extentRecords,
  inodeAt,
  shortEntries,
  type TreeBlock,
  treeBlock,
  wide,
  type XfsEntry,
  type XfsGeometry,
  type XfsInode,
  xfsGeometry,
  xfsInode,
} from './layout.ts'

/** Header of each block of a long link's target. */
const LINK_HEADER = 56
/** Of a folder's entries, bytes: some 500,000 files. Its index comes after them and is not needed. */
const MOST_OF_A_FOLDER = 32 << 20
/** More blocks of a B-tree than any appliance has. */
const MOST_BLOCKS = 100_000

/** Reads files of an XFS file system, version 5 (the only one since 2014), and what its free space and journal hold. */
export class XfsFiles extends GuestFiles<XfsInode> {
  readonly geometry: XfsGeometry
  readonly uuid: string
  readonly label: string
  protected readonly rootInode: number
  readonly #bytes: Bytes

  private constructor(bytes: Bytes, geometry: XfsGeometry) {
    super()
    this.#bytes = bytes
    this.geometry = geometry
    this.uuid = uuidText(geometry.uuid)
    this.label = geometry.label
    this.rootInode = geometry.rootInode
  }

  /** @returns undefined where there is no XFS, or one with features that are not known */
  static async open(disk: Bytes, start: number, length: number): Promise<XfsFiles | undefined> {
    const bytes = partOf(disk, start, length)
    const geometry = xfsGeometry(await bytes.read(0, 512))
    return geometry && new XfsFiles(bytes, geometry)
  }

  protected at(start: number, length: number): Promise<Buffer> {
    return this.#bytes.read(start, length)
  }

  async inode(number: number): Promise<XfsInode | undefined> {
    const bytes = await this.at(inodeAt(this.geometry, number), this.geometry.inodeSize)
    return xfsInode(bytes, number)
  }

  async *entries(folder: XfsInode): AsyncGenerator<XfsEntry> {
    if (folder.format === 'local') {
      yield* shortEntries(folder.fork)
      return
    }
    const { folderBlock } = this.geometry
    const content = await this.content(folder, Math.min(folder.size, MOST_OF_A_FOLDER))
    for (let at = 0; at < content.length; at += folderBlock)
      yield* blockEntries(content.subarray(at, at + folderBlock))
  }

  async linkTarget(link: XfsInode): Promise<string> {
    if (link.format === 'local') return link.fork.toString('utf8', 0, link.size)
    const { blockSize } = this.geometry
    const parts: Buffer[] = []
    for (const { start, length } of await this.pieces(link))
      for (let at = 0; at < length; at += blockSize)
        parts.push((await this.at(start + at, blockSize)).subarray(LINK_HEADER))
    return Buffer.concat(parts).toString('utf8', 0, link.size)
  }

  async content(inode: XfsInode, length: number): Promise<Buffer> {
    const content = Buffer.alloc(length)
    for (const { at, start, length: extent } of await this.pieces(inode)) {
      if (at >= length) break
      const piece = await this.at(start, Math.min(extent, length - at))
      piece.copy(content, at)
    }
    return content
  }

  async pieces({ format, fork, extents }: XfsInode): Promise<Piece[]> {
    if (format === 'extents') return extentRecords(this.geometry, fork, extents)
    if (format !== 'btree') return []
    const found: Piece[] = []
    // Its root lies in the inode.
    const top = pointers(fork.subarray(4), fork.readUInt16BE(2), 8)
    for await (const { body, count } of this.#leaves(top, 'BMA3', (block) => blockAt(this.geometry, block)))
      found.push(...extentRecords(this.geometry, body, count))
    return found.sort((a, b) => a.at - b.at)
  }

  /** The leaves of a B-tree: of extents (`BMA3`), or of a group's free space (`AB3B`). */
  async *#leaves(
    top: number[],
    magic: 'BMA3' | 'AB3B',
    placeOf: (block: number) => number,
  ): AsyncGenerator<TreeBlock> {
    let visited = 0
    for (let level = top; level.length > 0; ) {
      const next: number[] = []
      for (const block of level) {
        if (++visited > MOST_BLOCKS) return
        const node = treeBlock(await this.at(placeOf(block), this.geometry.blockSize), magic)
        if (node?.level === 0) yield node
        else if (node) next.push(...pointers(node.body, node.count, magic === 'BMA3' ? 8 : 4))
      }
      level = next
    }
  }

  /** Whole folders below the root, with the inode of everything in them; folders before what is in them. */
  async *walk(): AsyncGenerator<{ path: string; inode: XfsInode }> {
    const root = await this.inode(this.rootInode)
    const folders = root ? [{ path: '', inode: root }] : []
    for (let folder = folders.shift(); folder; folder = folders.shift())
      for await (const entry of this.entries(folder.inode)) {
        if (entry.name === '.' || entry.name === '..') continue
        const inode = await this.inode(entry.inode)
        if (!inode) continue
        const found = { path: `${folder.path}/${entry.name}`, inode }
        if (kindOf(inode.mode) === 'folder') folders.push(found)
        yield found
      }
  }

  /** What no file and no structure has, ascending. */
  async free(): Promise<Extent[]> {
    const { groups } = this.geometry
    const found: Extent[] = []
    for (let group = 0; group < groups; group++) {
      const tree = await this.#freeTree(group)
      found.push(...[...tree, ...(await this.#spare(group))].sort((a, b) => a.start - b.start))
    }
    return found
  }

  /** Blocks that are kept ready for the trees of free space: the kernel counts them as free, and discards none of them. */
  async spare(): Promise<Extent[]> {
    const groups = Array.from({ length: this.geometry.groups }, (_, group) => this.#spare(group))
    return (await Promise.all(groups)).flat()
  }

  /** A ring of block numbers, after a header of 36 bytes ("AG Free List"). */
  async #spare(group: number): Promise<Extent[]> {
    const { blockSize, sectorSize } = this.geometry
    const start = this.#groupAt(group)
    const header = await this.at(start + sectorSize, sectorSize)
    const list = await this.at(start + 3 * sectorSize, sectorSize)
    if (header.toString('latin1', 0, 4) !== 'XAGF' || list.toString('latin1', 0, 4) !== 'XAFL') return []
    const slots = Math.floor((sectorSize - 36) / 4)
    const [first, count] = [header.readUInt32BE(40), header.readUInt32BE(48)]
    return Array.from({ length: Math.min(count, slots) }, (_, i) => {
      const block = list.readUInt32BE(36 + ((first + i) % slots) * 4)
      return { start: start + block * blockSize, length: blockSize }
    })
  }

  #groupAt(group: number): number {
    return group * this.geometry.groupBlocks * this.geometry.blockSize
  }

  /** The tree of free extents by place. */
  async #freeTree(group: number): Promise<Extent[]> {
    const { blockSize, sectorSize } = this.geometry
    const start = this.#groupAt(group)
    const header = await this.at(start + sectorSize, sectorSize)
    const found: Extent[] = []
    const top = header.toString('latin1', 0, 4) === 'XAGF' ? [header.readUInt32BE(16)] : []
    for await (const { body, count } of this.#leaves(top, 'AB3B', (block) => start + block * blockSize))
      for (let i = 0; i < count; i++)
        found.push({
          start: start + body.readUInt32BE(i * 8) * blockSize,
          length: body.readUInt32BE(i * 8 + 4) * blockSize,
        })
    return found
  }

  /**
   * Whether it was unmounted in order: the journal's newest record is that of unmounting, and everything written is
   * where this reader looks.
   *
   * @see Linux, fs/xfs/libxfs/xfs_log_format.h; fs/xfs/xfs_log_recover.c, xlog_check_unmount_rec
   */
  async isClean(): Promise<boolean> {
    const { log } = this.geometry
    if (!log) return false
    let newest: { sequence: bigint; at: number; header: Buffer } | undefined
    const step = 1 << 20
    for (let from = 0; from < log.length; from += step) {
      const bytes = await this.at(log.start + from, Math.min(step, log.length - from))
      for (let at = 0; at + 512 <= bytes.length; at += 512) {
        if (bytes.readUInt32BE(at) !== 0xfeed_babe) continue
        const sequence = bytes.readBigUInt64BE(at + 16)
        if (newest && newest.sequence >= sequence) continue
        newest = { sequence, at: from + at, header: Buffer.from(bytes.subarray(at, at + 512)) }
      }
    }
    // A record with one operation, which has the flag XLOG_UNMOUNT_TRANS. The log is a ring.
    if (newest?.header.readUInt32BE(40) !== 1) return false
    const large = newest.header.readUInt32BE(320)
    const headers =
      (newest.header.readUInt32BE(8) & 2) !== 0 && large > 32_768 ? Math.ceil(large / 32_768) : 1
    const operation = await this.at(log.start + ((newest.at + headers * 512) % log.length), 12)
    return (operation[9]! & 0x20) !== 0
  }
}

/** A node's pointers, of so many bytes each; they follow the room for as many keys, of eight bytes, as it can have. */
function pointers(body: Buffer, count: number, length: 4 | 8): number[] {
  const most = Math.floor(body.length / (8 + length))
  return Array.from({ length: Math.min(count, most) }, (_, i) => most * 8 + i * length).flatMap((at) => {
    if (at + length > body.length) return []
    return [length === 8 ? wide(body, at) : body.readUInt32BE(at)]
  })
}
