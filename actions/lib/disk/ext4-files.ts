import { type Bytes, partOf } from '../files/bytes.ts'
import { type GuestEntry, GuestFiles, type GuestInode, type Piece, uuidText } from './guest-files.ts'

interface Inode extends GuestInode {
  flags: number
  block: Buffer
}

const ROOT_INODE = 2
const EXTENTS = 0x8_0000
const INLINE_DATA = 0x1000_0000
const INCOMPAT_64BIT = 0x80

/**
 * Reads files of an ext4 file system: what debugfs gives the stages (`Ext4`).
 *
 * @see https://www.kernel.org/doc/html/latest/filesystems/ext4/
 */
export class Ext4Files extends GuestFiles<Inode> {
  readonly #bytes: Bytes
  readonly #superblock: Buffer
  readonly #blockSize: number
  readonly uuid: string
  readonly label: string
  protected readonly rootInode = ROOT_INODE

  private constructor(bytes: Bytes, superblock: Buffer) {
    super()
    this.#bytes = bytes
    this.#superblock = superblock
    this.#blockSize = 1024 << superblock.readUInt32LE(24)
    this.uuid = uuidText(superblock.subarray(104, 120))
    this.label = superblock.toString('utf8', 120, 136).replace(/\0.*$/s, '')
  }

  /** @returns undefined where there is no ext2, 3 or 4 */
  static async open(disk: Bytes, start: number, length: number): Promise<Ext4Files | undefined> {
    const bytes = partOf(disk, start, length)
    const superblock = await bytes.read(1024, 1024)
    if (superblock.length < 1024 || superblock.readUInt16LE(56) !== 0xef53) return undefined
    if (superblock.readUInt32LE(24) > 6 || superblock.readUInt32LE(40) === 0) return undefined
    return new Ext4Files(bytes, superblock)
  }

  protected at(start: number, length: number): Promise<Buffer> {
    return this.#bytes.read(start, length)
  }

  async linkTarget(link: Inode): Promise<string> {
    const { size, flags, block } = link
    if (size < 60 && (flags & EXTENTS) === 0) return block.toString('utf8', 0, size)
    return (await this.content(link, Math.min(size, 4096))).toString('utf8')
  }

  async inode(number: number): Promise<Inode | undefined> {
    const s = this.#superblock
    const perGroup = s.readUInt32LE(40)
    const inodeSize = s.readUInt32LE(76) === 0 ? 128 : s.readUInt16LE(88)
    const wide = (s.readUInt32LE(96) & INCOMPAT_64BIT) !== 0
    const descriptorSize = wide ? Math.max(32, s.readUInt16LE(254)) : 32
    const group = Math.floor((number - 1) / perGroup)
    const table = (s.readUInt32LE(20) + 1) * this.#blockSize
    const descriptor = await this.#bytes.read(table + group * descriptorSize, descriptorSize)
    if (number < 1 || descriptor.length < descriptorSize) return undefined
    const high = wide && descriptorSize >= 64 ? descriptor.readUInt32LE(40) : 0
    const inodes = (high * 2 ** 32 + descriptor.readUInt32LE(8)) * this.#blockSize
    const inode = await this.#bytes.read(inodes + ((number - 1) % perGroup) * inodeSize, 128)
    if (inode.length < 128) return undefined
    const size = inode.readUInt32LE(108) * 2 ** 32 + inode.readUInt32LE(4)
    return {
      mode: inode.readUInt16LE(0),
      size,
      flags: inode.readUInt32LE(32),
      block: Buffer.from(inode.subarray(40, 100)),
    }
  }

  /** A folder's entries, block by block: the hashed index hides in entries that look unused. */
  async *entries(folder: Inode): AsyncGenerator<{ inode: number; name: string; kind: GuestEntry['kind'] }> {
    const content = await this.content(folder, Math.min(folder.size, 16 << 20))
    for (let at = 0; at + 8 <= content.length; ) {
      const length = content.readUInt16LE(at + 4)
      if (length < 8) return
      const nameLength = content[at + 6]!
      const inode = content.readUInt32LE(at)
      if (inode !== 0 && at + 8 + nameLength <= content.length)
        yield {
          inode,
          name: content.toString('utf8', at + 8, at + 8 + nameLength),
          kind: kinds[content[at + 7]!] ?? 'other',
        }
      at += length
    }
  }

  async content(inode: Inode, length: number): Promise<Buffer> {
    if ((inode.flags & INLINE_DATA) !== 0) return inode.block.subarray(0, Math.min(60, length))
    const content = Buffer.alloc(length)
    for (const { at, start, length: extent } of await this.pieces(inode)) {
      if (at >= length) continue
      const piece = await this.#bytes.read(start, Math.min(extent, length - at))
      piece.copy(content, at)
    }
    return content
  }

  async pieces({ flags, block }: Inode): Promise<Piece[]> {
    if ((flags & EXTENTS) === 0) return []
    const found: Piece[] = []
    const nodes = [block as Buffer]
    for (let visited = 0; nodes.length > 0 && visited < 10_000; visited++) {
      const node = nodes.shift()!
      if (node.length < 12 || node.readUInt16LE(0) !== 0xf30a) continue
      const count = Math.min(node.readUInt16LE(2), Math.floor((node.length - 12) / 12))
      const leaf = node.readUInt16LE(6) === 0
      for (let i = 0; i < count; i++) {
        const at = 12 + i * 12
        if (leaf) {
          const length = node.readUInt16LE(at + 4)
          if (length > 32_768) continue // reserved and not written: zeros
          const start = node.readUInt16LE(at + 6) * 2 ** 32 + node.readUInt32LE(at + 8)
          found.push({
            at: node.readUInt32LE(at) * this.#blockSize,
            start: start * this.#blockSize,
            length: length * this.#blockSize,
          })
        } else {
          const child = node.readUInt16LE(at + 8) * 2 ** 32 + node.readUInt32LE(at + 4)
          nodes.push(await this.#bytes.read(child * this.#blockSize, this.#blockSize))
        }
      }
    }
    return found.sort((a, b) => a.at - b.at)
  }
}

/** File types of folder entries ("Linear Directories"). */
const kinds: Record<number, GuestEntry['kind']> = { 1: 'file', 2: 'folder', 7: 'link' }
