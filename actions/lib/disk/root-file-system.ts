import type { ToolsRoot } from '../tools/tools.ts'
import type { Extent } from './extents.ts'
import type { Pattern } from './pattern.ts'

/** Where programs come from whose version would show in a result: the tools root; without a folder, this computer. */
export type Tools = Pick<ToolsRoot, 'run'> & Partial<Pick<ToolsRoot, 'directory'>>

export interface Entry {
  path: string
  kind: 'file' | 'folder' | 'link' | 'other'
  inode: number
  /** Permission bits. */
  mode: number
  uid: number
  gid: number
  size: number
}

export type Tree = ReadonlyMap<string, Entry>

/** One change to the guest's files. */
export type Change =
  | { kind: 'remove'; entry: Entry }
  | { kind: 'empty'; entry: Entry }
  | { kind: 'write'; path: string; content: Buffer; mode: number; over: Entry | undefined }
  | { kind: 'link'; path: string; target: string; over: Entry | undefined }
  | { kind: 'folder'; path: string }

/** The guest's root file system inside a raw disk, read and changed while no machine runs from it. */
export interface RootFileSystem {
  /** Everything that matches one of the patterns, and the folders on the way to it. */
  tree(patterns: readonly Pattern[]): Promise<Tree>
  /** Everything in a folder, however deep, deepest first. */
  below(folder: string): Promise<Entry[]>
  /** Contents of regular files, by path; one that is not there is missing in the result. */
  read(paths: readonly string[]): Promise<Map<string, Buffer>>
  /** Targets of symbolic links, by path. */
  linkTargets(links: readonly Entry[]): Promise<Map<string, string>>
  apply(changes: readonly Change[]): Promise<void>

  /**
   * Does what the next mount would do after an unclean shutdown.
   *
   * @throws ApplianceError `check-failed` where it is damaged beyond that
   */
  mend(): Promise<void>
  /**
   * Makes changes after which nothing is left of what is gone, neither in free space nor in the journal; and checks
   * that the file system is whole.
   *
   * @param resize called before free space is wiped; it may resize an ext4
   * @throws ApplianceError `check-failed` where it is damaged, before or afterwards
   */
  seal(changes: readonly Change[], resize: () => Promise<unknown>): Promise<void>

  /** The stretches that it does not use, ascending. Bytes from its beginning. */
  free(): Promise<Extent[]>
  /** Bytes. */
  used(): Promise<number>
  /** What has the byte at each offset from its beginning: a path, or words for a place that belongs to no file. */
  placesOf(offsets: readonly number[]): Promise<string[]>
}

/** For bytes of no file. */
export const FREE_SPACE = 'free space of the root file system'
export const JOURNAL = "the file system's journal"
