import { type Bytes, partOf } from '../files/bytes.ts'

/** An entry of a folder in a guest. */
export interface GuestEntry {
  name: string
  kind: 'file' | 'folder' | 'link' | 'other'
}

interface Inode {
  mode: number
  size: number
  flags: number
  block: Buffer
}

const ROOT_INODE = 2
const EXTENTS = 0x8_0000
const INLINE_DATA = 0x1000_0000
const INCOMPAT_64BIT = 0x80
const MOST_LINKS = 20
const MOST_ENTRIES = 100_000

/**
 * Reads files of an ext4 file system where it lies, in a disk image or inside an OVA, with nothing but reads: what
 * debugfs gives the stages (`Ext4`), without a program, a copy of the disk or the right to mount it. Damage shows as
 * files that are not there; memory stays bounded.
 *
 * @see https://www.kernel.org/doc/html/latest/filesystems/ext4/
 */
export class Ext4Files {
  readonly #bytes: Bytes
  readonly #superblock: Buffer
  readonly #blockSize: number
  /** Whether its UUID is what an fstab says: lower case, with dashes. */
  readonly uuid: string
  readonly label: string

  private constructor(bytes: Bytes, superblock: Buffer) {
    this.#bytes = bytes
    this.#superblock = superblock
    this.#blockSize = 1024 << superblock.readUInt32LE(24)
    const hex = superblock.toString('hex', 104, 120)
    this.uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
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

  /** What a folder has, sorted; empty where there is none. */
  async list(path: string): Promise<GuestEntry[]> {
    const inode = await this.#find(path)
    return inode && kindOf(inode.mode) === 'folder' ? await this.#entries(inode) : []
  }

  /** A file's content, at most `most` bytes of it; undefined where there is no file. */
  async read(path: string, most = 1 << 20): Promise<Buffer | undefined> {
    const inode = await this.#find(path)
    if (!inode || kindOf(inode.mode) !== 'file') return undefined
    return await this.#content(inode, Math.min(inode.size, most))
  }

  async text(path: string): Promise<string | undefined> {
    return (await this.read(path))?.toString('utf8')
  }

  /** Follows links. */
  async exists(path: string): Promise<boolean> {
    return (await this.#find(path)) !== undefined
  }

  /** Reads a large file in pieces. */
  async *stream(path: string): AsyncGenerator<Buffer> {
    const inode = await this.#find(path)
    if (!inode || kindOf(inode.mode) !== 'file') return
    for (const extent of await this.#extents(inode))
      for (let at = 0; at < extent.length; at += 1 << 20) {
        const left = Math.min(1 << 20, extent.length - at, inode.size - extent.at - at)
        if (left <= 0) return
        yield await this.#bytes.read(extent.start + at, left)
      }
  }

  async #find(path: string): Promise<Inode | undefined> {
    const names = path.split('/').filter(Boolean)
    let inode = await this.#inode(ROOT_INODE)
    let links = 0
    let walked: string[] = []
    while (names.length > 0) {
      if (!inode || kindOf(inode.mode) !== 'folder') return undefined
      const name = names.shift()!
      if (name === '.') continue
      if (name === '..') {
        const up: string = walked.slice(0, -1).join('/')
        walked = walked.slice(0, -1)
        inode = await this.#find(`/${up}`)
        continue
      }
      const number = await this.#lookUp(inode, name)
      const found: Inode | undefined = number === undefined ? undefined : await this.#inode(number)
      if (found && kindOf(found.mode) === 'link') {
        if (++links > MOST_LINKS) return undefined
        const target = await this.#linkTarget(found)
        names.unshift(...target.split('/').filter(Boolean))
        if (!target.startsWith('/')) continue
        walked = []
        inode = await this.#inode(ROOT_INODE)
        continue
      }
      walked.push(name)
      inode = found
    }
    return inode
  }

  async #linkTarget({ size, flags, block }: Inode): Promise<string> {
    if (size < 60 && (flags & EXTENTS) === 0) return block.toString('utf8', 0, size)
    return (await this.#content({ mode: 0, size, flags, block }, Math.min(size, 4096))).toString('utf8')
  }

  async #inode(number: number): Promise<Inode | undefined> {
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

  async #lookUp(folder: Inode, name: string): Promise<number | undefined> {
    for await (const entry of this.#raw(folder)) if (entry.name === name) return entry.inode
    return undefined
  }

  async #entries(folder: Inode): Promise<GuestEntry[]> {
    const found: GuestEntry[] = []
    for await (const { name, type } of this.#raw(folder)) {
      if (name === '.' || name === '..') continue
      if (found.length >= MOST_ENTRIES) break
      found.push({
        name,
        kind: (['other', 'file', 'folder'] as const)[type] ?? (type === 7 ? 'link' : 'other'),
      })
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** A folder's entries, block by block: the hashed index hides in entries that look unused. */
  async *#raw(folder: Inode): AsyncGenerator<{ inode: number; name: string; type: number }> {
    const content = await this.#content(folder, Math.min(folder.size, 16 << 20))
    for (let at = 0; at + 8 <= content.length; ) {
      const length = content.readUInt16LE(at + 4)
      if (length < 8) return
      const nameLength = content[at + 6]!
      const inode = content.readUInt32LE(at)
      if (inode !== 0 && at + 8 + nameLength <= content.length)
        yield { inode, name: content.toString('utf8', at + 8, at + 8 + nameLength), type: content[at + 7]! }
      at += length
    }
  }

  async #content(inode: Inode, length: number): Promise<Buffer> {
    if ((inode.flags & INLINE_DATA) !== 0) return inode.block.subarray(0, Math.min(60, length))
    const content = Buffer.alloc(length)
    for (const { at, start, length: extent } of await this.#extents(inode)) {
      if (at >= length) continue
      const piece = await this.#bytes.read(start, Math.min(extent, length - at))
      piece.copy(content, at)
    }
    return content
  }

  /** Where a file's bytes lie: `at` in the file, `start` in the file system. */
  async #extents({ flags, block }: Inode): Promise<{ at: number; start: number; length: number }[]> {
    if ((flags & EXTENTS) === 0) return []
    const found: { at: number; start: number; length: number }[] = []
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

function kindOf(mode: number): GuestEntry['kind'] {
  return ({ 8: 'file', 4: 'folder', 10: 'link' } as const)[mode >> 12] ?? 'other'
}
