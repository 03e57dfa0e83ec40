import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../../errors/error.ts'
import { fileBytes } from '../../files/bytes.ts'
import { exists } from '../../files/exists.ts'
import type { Extent } from '../extents.ts'
import { kindOf } from '../guest-files.ts'
import { openGuestFiles } from '../open-files.ts'
import type { Pattern } from '../pattern.ts'
import {
  type Change,
  type Entry,
  FREE_SPACE,
  JOURNAL,
  type RootFileSystem,
  type Tools,
  type Tree,
} from '../root-file-system.ts'
import type { FoundRoot } from '../root-partition.ts'
import { allBelow, type List, type Listed, matching } from '../walk.ts'
import { XfsFiles } from './files.ts'
import { jobOf } from './job.ts'
import { type Kernel, kernelIn } from './kernel.ts'
import type { XfsInode } from './layout.ts'
import { xfsSession } from './machine.ts'

export interface XfsOrder {
  /** Raw. */
  disk: string
  found: FoundRoot
  tools: Tools
  scratch: string
  signal: AbortSignal
}

/** @throws ApplianceError `input` where it has features that are not known */
export async function openXfs(order: XfsOrder): Promise<RootFileSystem> {
  const xfs = new Xfs(order)
  await xfs.used()
  return xfs
}

/** Where the programs are that an XFS needs: in the tools root, if it was made with them, or else on this computer. */
export async function xfsPrograms({ directory = '/' }: Pick<Tools, 'directory'>): Promise<string> {
  return (await exists(join(directory, 'usr/sbin/xfs_repair'))) ? directory : '/'
}

/**
 * An XFS file system inside a raw disk: read where it lies, and changed in a small machine, since nothing but Linux
 * writes XFS. Reading costs no machine; each of `apply` and `seal` one of some seconds.
 */
class Xfs implements RootFileSystem {
  readonly #order: XfsOrder
  #kernel: Promise<Kernel> | undefined

  constructor(order: XfsOrder) {
    this.#order = order
  }

  async tree(patterns: readonly Pattern[]): Promise<Tree> {
    return await this.#reading((files) => matching(patterns, listOf(files)))
  }

  async below(folder: string): Promise<Entry[]> {
    return await this.#reading((files) => allBelow(folder, listOf(files)))
  }

  async read(paths: readonly string[]): Promise<Map<string, Buffer>> {
    return await this.#reading(async (files) => {
      const contents = new Map<string, Buffer>()
      for (const path of paths) {
        const content = await files.read(path, Number.POSITIVE_INFINITY)
        if (content) contents.set(path, content)
      }
      return contents
    })
  }

  async linkTargets(links: readonly Entry[]): Promise<Map<string, string>> {
    return await this.#reading(async (files) => {
      const targets = new Map<string, string>()
      for (const { path, inode } of links) {
        const link = await files.inode(inode)
        if (link) targets.set(path, await files.linkTarget(link))
      }
      return targets
    })
  }

  async apply(changes: readonly Change[]): Promise<void> {
    if (changes.length > 0) await this.#session(['mount'], changes, ['unmount'])
  }

  /** Mounting replays the journal; only then is everything where the reader looks. */
  async mend(): Promise<void> {
    if (!(await this.#reading((files) => files.isClean()))) await this.#session(['mount'], [], ['unmount'])
  }

  /**
   * xfs_repair makes a new journal, and new trees of free space out of what is empty by then; what the old ones leave is
   * trimmed in turn.
   */
  async seal(changes: readonly Change[], resize: () => Promise<unknown>): Promise<void> {
    await resize()
    const after = ['trim', 'unmount', 'renew', 'mount', 'trim', 'unmount', 'check']
    await this.#session(['mount', 'unmount', 'check', 'mount'], changes, after)
    await this.#emptySpare()
  }

  async free(): Promise<Extent[]> {
    return await this.#reading((files) => files.free())
  }

  async used(): Promise<number> {
    return await this.#reading(async ({ geometry }) => {
      const { blocks, freeBlocks, blockSize } = geometry
      return (blocks - freeBlocks) * blockSize
    })
  }

  async placesOf(offsets: readonly number[]): Promise<string[]> {
    if (offsets.length === 0) return []
    return await this.#reading(async (files) => {
      const places = new Map<number, string>()
      const has = ({ start, length }: Extent) => offsets.filter((at) => at >= start && at < start + length)
      for await (const { path, inode } of files.walk())
        for (const piece of await files.pieces(inode))
          for (const at of has(piece)) if (!places.has(at)) places.set(at, path)
      for (const at of (await files.free()).flatMap(has)) places.set(at, FREE_SPACE)
      for (const at of files.geometry.log ? has(files.geometry.log) : []) places.set(at, JOURNAL)
      return offsets.map((at) => places.get(at) ?? 'structures of the file system')
    })
  }

  /** What the old trees have left in them. */
  async #emptySpare(): Promise<void> {
    const { disk, found } = this.#order
    const spare = await this.#reading((files) => files.spare())
    await using handle = await open(disk, 'r+')
    for (const { start, length } of spare)
      await handle.write(Buffer.alloc(length), 0, length, found.partition.start + start)
  }

  async #session(before: readonly string[], changes: readonly Change[], after: readonly string[]) {
    const { disk, found, tools, scratch, signal } = this.#order
    this.#kernel ??= this.#findKernel()
    const { words, files } = jobOf(changes)
    await xfsSession({
      kernel: await this.#kernel,
      programs: await xfsPrograms(tools),
      disk,
      partition: found.partition.number,
      steps: [...before, ...words, ...after],
      files,
      scratch,
      signal,
    })
  }

  async #findKernel(): Promise<Kernel> {
    const { found, signal } = this.#order
    return await this.#reading(async (files, handle) => {
      const boot = []
      for (const { partition } of found.others) {
        const whole = fileBytes(handle, 0, (await handle.stat()).size)
        const other = await openGuestFiles(whole, partition.start, partition.length)
        if (other) boot.push(other)
      }
      return await kernelIn(files, boot, signal)
    })
  }

  async #reading<T>(use: (files: XfsFiles, handle: FileHandle) => Promise<T>): Promise<T> {
    const { disk, found } = this.#order
    await using handle = await open(disk, 'r')
    const { start, length } = found.partition
    const files = await XfsFiles.open(fileBytes(handle, 0, (await handle.stat()).size), start, length)
    if (!files)
      throw new ApplianceError('input', 'the root is an XFS file system that cannot be read here', {
        hint: 'It is of version 4, or has features newer than Linux 6.12; mkfs.xfs -c options=/usr/share/xfsprogs/mkfs/lts_6.1.conf makes one without.',
      })
    return await use(files, handle)
  }
}

function listOf(files: XfsFiles): List {
  return async function* (folders) {
    for (const folder of folders) yield* inFolder(files, folder)
  }
}

async function* inFolder(files: XfsFiles, folder: string): AsyncGenerator<Listed> {
  const inode = await files.find(folder)
  if (!inode || kindOf(inode.mode) !== 'folder') return
  for await (const { name, kind, inode: number } of files.entries(inode)) {
    if (name === '.' || name === '..') continue
    const path = `${folder === '/' ? '' : folder}/${name}`
    yield {
      path,
      kind,
      entry: async () => {
        const found = await files.inode(number)
        return found && entryOf(path, found)
      },
    }
  }
}

function entryOf(path: string, { number, mode, uid, gid, size }: XfsInode): Entry {
  return { path, kind: kindOf(mode), inode: number, mode: mode & 0o7777, uid, gid, size }
}
