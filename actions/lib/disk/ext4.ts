import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../errors/error.ts'
import type { CommandResult } from '../process/command.ts'
import { attributesOf, withAttributes } from './ext4-attributes.ts'
import { discardFreeSpace, mendExt4, renewJournal } from './ext4-check.ts'
import { type Ext4Programs, quoted } from './ext4-programs.ts'
import { ext4Free, ext4Places, ext4Used } from './ext4-space.ts'
import type { Extent } from './extents.ts'
import type { Pattern } from './pattern.ts'
import type { Change, Entry, RootFileSystem, Tools, Tree } from './root-file-system.ts'
import { allBelow, type Listed, matching } from './walk.ts'

/** What the e2fsprogs call "now": nothing we write carries a clock. */
const NOW = { debugfs: '20000101000000', seconds: '946684800' }

/** Has every program of e2fsprogs take that for the time. */
export const FIXED_TIME = {
  E2FSPROGS_FAKE_TIME: NOW.seconds,
  E2FSCK_TIME: NOW.seconds,
  SOURCE_DATE_EPOCH: NOW.seconds,
  TZ: 'UTC',
}

/**
 * An ext4 file system inside a raw disk, read and changed with debugfs(8), without mounting it: no root rights, no
 * kernel, and nothing of the guest runs.
 */
export class Ext4 implements RootFileSystem, Ext4Programs {
  /** `disk.raw?offset=N`, as every program of e2fsprogs understands it (ext2fs_open2, io_options). */
  readonly device: string
  readonly #tools: Tools
  readonly #scratch: string
  readonly #signal: AbortSignal

  readonly #disk: string
  readonly #offset: number

  constructor(tools: Tools, disk: string, offset: number, scratch: string, signal: AbortSignal) {
    this.device = `${disk}?offset=${offset}`
    this.#disk = disk
    this.#offset = offset
    this.#tools = tools
    this.#scratch = join(scratch, 'ext4')
    this.#signal = signal
  }

  e2fs(program: string, args: readonly string[], allowFailure = false): Promise<CommandResult> {
    return this.#tools.run(program, [...args, this.device], {
      signal: this.#signal,
      allowFailure,
      keep: 64 << 20,
      env: FIXED_TIME,
    })
  }

  /** From a copy of the metadata: from 1.47.1 on dumpe2fs takes a device with `=` in its name for a tag to look up. */
  async described(): Promise<string> {
    await mkdir(this.#scratch, { recursive: true })
    const metadata = join(this.#scratch, 'metadata')
    await rm(metadata, { force: true })
    const options = { signal: this.#signal, keep: 64 << 20 }
    await this.#tools.run('e2image', ['-r', '-o', String(this.#offset), this.#disk, metadata], options)
    const { stdout } = await this.#tools.run('dumpe2fs', [metadata], options)
    await rm(metadata)
    return stdout
  }

  async debugfs(commands: readonly string[], mode: 'read' | 'write' = 'read'): Promise<string> {
    await mkdir(this.#scratch, { recursive: true })
    const script = join(this.#scratch, 'commands')
    const timed = mode === 'write' ? [`set_current_time ${NOW.debugfs}`, ...commands] : commands
    await writeFile(script, timed.map((command) => `${command}\n`).join(''))
    const { stdout, stderr } = await this.e2fs('debugfs', [...(mode === 'write' ? ['-w'] : []), '-f', script])
    const complaint = stderr.split('\n').find((line) => line.trim() && !/^debugfs \d/.test(line))
    if (complaint && (mode === 'write' || /while opening|bad magic/i.test(complaint)))
      throw new ApplianceError(
        'internal',
        `the root file system cannot be ${mode === 'read' ? 'read' : 'changed'}: ${complaint}`,
      )
    return stdout
  }

  async tree(patterns: readonly Pattern[]): Promise<Tree> {
    return await matching(patterns, (folders) => this.#listed(folders))
  }

  async below(folder: string): Promise<Entry[]> {
    return await allBelow(folder, (folders) => this.#listed(folders))
  }

  async *#listed(folders: readonly string[]): AsyncGenerator<Listed> {
    for (const entry of await this.#list(folders)) yield { ...entry, entry: async () => entry }
  }

  async #list(folders: readonly string[]): Promise<Entry[]> {
    const output = await this.debugfs(folders.map((folder) => `ls -p ${quoted(folder)}`))
    const entries: Entry[] = []
    let index = -1
    for (const line of output.split('\n')) {
      if (line.startsWith('debugfs: ')) index++
      const match = /^\/(\d+)\/(\d{6})\/(\d+)\/(\d+)\/([^/]+)\/(\d*)\/$/.exec(line)
      if (!match || match[5] === '.' || match[5] === '..' || match[1] === '0') continue
      const folder = folders[index]!
      const mode = Number.parseInt(match[2]!, 8)
      entries.push({
        path: `${folder === '/' ? '' : folder}/${match[5]}`,
        kind: kinds[mode >> 12] ?? 'other',
        inode: Number(match[1]),
        mode: mode & 0o7777,
        uid: Number(match[3]),
        gid: Number(match[4]),
        size: Number(match[6] || 0),
      })
    }
    return entries
  }

  async read(paths: readonly string[]): Promise<Map<string, Buffer>> {
    const folder = join(this.#scratch, 'read')
    await mkdir(folder, { recursive: true })
    try {
      await this.debugfs(
        paths.map((path, index) => `dump ${quoted(path)} ${quoted(join(folder, String(index)))}`),
      )
      const contents = new Map<string, Buffer>()
      for (const [index, path] of paths.entries()) {
        const content = await readFile(join(folder, String(index))).catch(() => undefined)
        if (content) contents.set(path, content)
      }
      return contents
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  /** Of those of less than 60 bytes, which are kept in the inode. */
  async linkTargets(links: readonly Entry[]): Promise<Map<string, string>> {
    if (links.length === 0) return new Map()
    const output = await this.debugfs(links.map(({ inode }) => `stat <${inode}>`))
    const sections = output.split(/^debugfs: .*$/m).slice(1)
    return new Map(
      links.flatMap(({ path }, index) => {
        const target = /^Fast link dest: "(.*)"$/m.exec(sections[index] ?? '')?.[1]
        return target === undefined ? [] : [[path, target] as const]
      }),
    )
  }

  async apply(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return
    const folder = join(this.#scratch, 'write')
    await mkdir(folder, { recursive: true })
    const rewritten = changes.flatMap((one) =>
      one.kind === 'write' && one.over?.kind === 'file' ? one.path : [],
    )
    const attributes = await attributesOf(this, [...new Set(rewritten)], folder)
    const commands: string[] = []
    for (const [index, change] of changes.entries()) {
      if (change.kind === 'remove') commands.push(removal(change.entry))
      else if (change.kind === 'empty')
        commands.push(
          `punch ${quoted(change.entry.path)} 0`,
          `set_inode_field ${quoted(change.entry.path)} size 0`,
        )
      else if (change.kind === 'folder') commands.push(`mkdir ${quoted(change.path)}`)
      else if (change.kind === 'link') {
        if (change.over) commands.push(removal(change.over))
        commands.push(`symlink ${quoted(change.path)} ${quoted(change.target)}`)
      } else {
        const source = join(folder, String(index))
        await writeFile(source, change.content)
        commands.push(...writing(change, source), ...withAttributes(change.path, attributes.get(change.path)))
      }
    }
    await this.debugfs(commands, 'write')
    await rm(folder, { recursive: true, force: true })
  }

  async mend(): Promise<void> {
    await mendExt4(this)
  }

  async seal(changes: readonly Change[], resize: () => Promise<unknown>): Promise<void> {
    await this.apply(changes)
    await renewJournal(this)
    await resize()
    await discardFreeSpace(this)
  }

  async free(): Promise<Extent[]> {
    return ext4Free(await this.described())
  }

  async used(): Promise<number> {
    return ext4Used(await this.described())
  }

  async placesOf(offsets: readonly number[]): Promise<string[]> {
    return await ext4Places(this, offsets)
  }
}

/** The file type of a mode's upper four bits (inode(7)). */
const kinds: Record<number, Entry['kind']> = { 8: 'file', 4: 'folder', 10: 'link' }

function removal({ path, kind }: Entry): string {
  return `${kind === 'folder' ? 'rmdir' : 'rm'} ${quoted(path)}`
}

/** debugfs writes only into its current folder, as root's; a file that is replaced keeps its owner. */
function writing({ path, mode, over }: Change & { kind: 'write' }, source: string): string[] {
  const cut = path.lastIndexOf('/')
  const field = (name: string, value: number | string) => `set_inode_field ${quoted(path)} ${name} ${value}`
  return [
    ...(over ? [removal(over)] : []),
    `cd ${quoted(path.slice(0, cut) || '/')}`,
    `write ${quoted(source)} ${quoted(path.slice(cut + 1))}`,
    'cd /',
    field('mode', `0${(0o100000 | mode).toString(8)}`),
    field('uid', over?.uid ?? 0),
    field('gid', over?.gid ?? 0),
  ]
}
