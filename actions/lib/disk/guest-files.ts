/** An entry of a folder in a guest. */
export interface GuestEntry {
  name: string
  kind: 'file' | 'folder' | 'link' | 'other'
}

/** What any file system says of a file. */
export interface GuestInode {
  /** File type and permission bits, as in inode(7). */
  mode: number
  /** Bytes. */
  size: number
}

/** Part of a file: `at` in the file, `start` in the file system. Bytes. */
export interface Piece {
  at: number
  start: number
  length: number
}

const MOST_LINKS = 20
const MOST_ENTRIES = 100_000
/** Bytes read at a time of a large file, and at most of its holes. */
const PIECE = 1 << 20
const MOST_ZEROS = 1 << 30

/**
 * Reads files of a guest's file system where it lies, in a disk image or inside an OVA, with nothing but reads: without
 * a program, a copy of the disk or the right to mount it. Damage shows as files that are not there; memory stays
 * bounded.
 */
export abstract class GuestFiles<Inode extends GuestInode = GuestInode> {
  /** As an fstab says it: lower case, with dashes. */
  abstract readonly uuid: string
  abstract readonly label: string

  protected abstract readonly rootInode: number
  /** undefined where there is none. */
  abstract inode(number: number): Promise<Inode | undefined>
  /** A folder's entries as they lie there; `.` and `..` may be among them. */
  abstract entries(folder: Inode): AsyncGenerator<{ inode: number; name: string; kind: GuestEntry['kind'] }>
  /** At most `length` bytes of a file's content. */
  abstract content(inode: Inode, length: number): Promise<Buffer>
  /** Where a file's bytes lie, ascending. */
  abstract pieces(inode: Inode): Promise<Piece[]>
  abstract linkTarget(link: Inode): Promise<string>
  /** Bytes of the file system. */
  protected abstract at(start: number, length: number): Promise<Buffer>

  /** What a folder has, sorted; empty where there is none. */
  async list(path: string): Promise<GuestEntry[]> {
    const inode = await this.find(path)
    const found: GuestEntry[] = []
    if (!inode || kindOf(inode.mode) !== 'folder') return found
    for await (const { name, kind } of this.entries(inode)) {
      if (name === '.' || name === '..') continue
      if (found.length >= MOST_ENTRIES) break
      found.push({ name, kind })
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** A file's content, at most `most` bytes of it; undefined where there is no file. */
  async read(path: string, most = 1 << 20): Promise<Buffer | undefined> {
    const inode = await this.find(path)
    if (!inode || kindOf(inode.mode) !== 'file') return undefined
    return await this.content(inode, Math.min(inode.size, most))
  }

  async text(path: string): Promise<string | undefined> {
    return (await this.read(path))?.toString('utf8')
  }

  /** Follows links. */
  async exists(path: string): Promise<boolean> {
    return (await this.find(path)) !== undefined
  }

  /** Reads a large file in pieces, holes as zeros; it ends early where that is damaged. */
  async *stream(path: string): AsyncGenerator<Buffer> {
    const inode = await this.find(path)
    if (!inode || kindOf(inode.mode) !== 'file') return
    let position = 0
    let zeros = 0
    for (const { at, start, length } of await this.pieces(inode)) {
      zeros += at - position
      if (at < position || at > inode.size || zeros > MOST_ZEROS) return
      for (; position < at; position += Math.min(PIECE, at - position))
        yield Buffer.alloc(Math.min(PIECE, at - position))
      const end = Math.min(at + length, inode.size)
      for (; position < end; position += Math.min(PIECE, end - position))
        yield await this.at(start + position - at, Math.min(PIECE, end - position))
    }
  }

  /** The file at a path, links followed; undefined where there is none. */
  async find(path: string): Promise<Inode | undefined> {
    const names = path.split('/').filter(Boolean)
    let inode = await this.inode(this.rootInode)
    let links = 0
    let walked: string[] = []
    while (names.length > 0) {
      if (!inode || kindOf(inode.mode) !== 'folder') return undefined
      const name = names.shift()!
      if (name === '.') continue
      if (name === '..') {
        walked = walked.slice(0, -1)
        inode = await this.find(`/${walked.join('/')}`)
        continue
      }
      const number = await this.#lookUp(inode, name)
      const found: Inode | undefined = number === undefined ? undefined : await this.inode(number)
      if (found && kindOf(found.mode) === 'link') {
        if (++links > MOST_LINKS) return undefined
        const target = await this.linkTarget(found)
        names.unshift(...target.split('/').filter(Boolean))
        if (!target.startsWith('/')) continue
        walked = []
        inode = await this.inode(this.rootInode)
        continue
      }
      walked.push(name)
      inode = found
    }
    return inode
  }

  async #lookUp(folder: Inode, name: string): Promise<number | undefined> {
    for await (const entry of this.entries(folder)) if (entry.name === name) return entry.inode
    return undefined
  }
}

/** Of a mode as inode(7) has it. */
export function kindOf(mode: number): GuestEntry['kind'] {
  return ({ 8: 'file', 4: 'folder', 10: 'link' } as const)[mode >> 12] ?? 'other'
}

/** Sixteen bytes as an fstab writes them. */
export function uuidText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
