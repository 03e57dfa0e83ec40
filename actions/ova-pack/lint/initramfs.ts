import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { GuestFiles } from '../../lib/disk/guest-files.ts'
import { exists } from '../../lib/files/exists.ts'
import { filter } from '../../lib/process/filter.ts'
import { CpioNames } from './cpio.ts'

/** What an initramfs turned out to be. */
export type Initramfs =
  /** Names of the kernel modules in it: `mptspi`. */
  | { is: 'read'; modules: Set<string> }
  /** A kernel unpacks it no further than we do; by what that shows. */
  | { is: 'damaged'; evidence: string }
  | { is: 'unread'; evidence: string }

/**
 * All that a kernel unpacks, by its first bytes, with the program that does it here; Node itself knows only gzip on
 * every version.
 *
 * @see https://github.com/torvalds/linux/blob/master/lib/decompress.c
 */
const packers: readonly { magic: string; program: string; args: readonly string[] }[] = [
  { magic: '28b5', program: 'zstd', args: ['-dcq'] },
  { magic: 'fd37', program: 'xz', args: ['-dcq'] },
  { magic: '0221', program: 'lz4', args: ['-dcq'] },
  { magic: '5d00', program: 'xz', args: ['-dcq', '--format=lzma'] },
  { magic: '425a', program: 'bzip2', args: ['-dcq'] },
  { magic: '894c', program: 'lzop', args: ['-dcq'] },
]
const GZIP = '1f8b'

/** Reads the initramfs at a path to its end; undefined where there is no such file. */
export async function initramfsAt(
  files: GuestFiles,
  path: string,
  signal: AbortSignal,
): Promise<Initramfs | undefined> {
  const inode = await files.find(path)
  if (!inode) return undefined
  if (inode.size === 0) return { is: 'damaged', evidence: 'it is empty' }
  return await readInitramfs(files.stream(path), signal)
}

export async function readInitramfs(source: AsyncGenerator<Buffer>, signal: AbortSignal): Promise<Initramfs> {
  // Microcode, and modules that are compressed themselves, come first, in archives that are not.
  const plain = new CpioNames()
  let taken = 0
  let rest: Buffer | undefined
  // By hand: for await would end the stream where it breaks off, and the rest is still to be read.
  for (let next = await source.next(); !next.done; next = await source.next()) {
    signal.throwIfAborted()
    taken += next.value.length
    rest = plain.add(next.value)
    if (rest) break
  }
  if (taken === 0) return { is: 'unread', evidence: 'where its bytes lie was not found' }
  if (!plain.whole) return { is: 'damaged', evidence: rest ? damageAt(taken, rest) : `it ends ${WITHIN}` }
  if (!rest)
    return plain.names.length > 0
      ? { is: 'read', modules: modulesAmong(plain.names) }
      : { is: 'damaged', evidence: 'nothing but zeros' }
  return await readPacked(plain.names, rest, taken - rest.length, source, signal)
}

const WITHIN = 'within an archive'

const damageAt = (taken: number, rest: Buffer) =>
  `at byte ${taken - rest.length} ${WITHIN}: ${rest.toString('hex', 0, 4)}`

async function readPacked(
  before: readonly string[],
  first: Buffer,
  at: number,
  source: AsyncGenerator<Buffer>,
  signal: AbortSignal,
): Promise<Initramfs> {
  async function* all() {
    yield first
    yield* source
  }
  const magic = first.toString('hex', 0, 2)
  const packer = packers.find((one) => one.magic === magic)
  if (!packer && magic !== GZIP)
    return {
      is: 'damaged',
      evidence: `byte ${at} begins nothing that a kernel unpacks: ${first.toString('hex', 0, 4)}`,
    }
  if (packer && !(await isInstalled(packer.program)))
    return { is: 'unread', evidence: `it takes ${packer.program}, which is not installed here` }
  const unpacked = packer ? filter(packer.program, packer.args, all(), signal) : gunzip(all())
  const main = new CpioNames()
  let over = false
  try {
    // To the end, even if the archive ends before: there are the checksums.
    for await (const piece of unpacked) {
      signal.throwIfAborted()
      over ||= main.add(piece) !== undefined
    }
  } catch (error) {
    if (signal.aborted) throw error
    return { is: 'damaged', evidence: (error as Error).message }
  }
  if (!main.whole)
    return { is: 'damaged', evidence: `what is compressed ${over ? 'is damaged' : 'ends'} ${WITHIN}` }
  if (main.names.length === 0) return { is: 'damaged', evidence: 'what is compressed is no cpio archive' }
  return { is: 'read', modules: modulesAmong([...before, ...main.names]) }
}

function gunzip(input: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  return pipeline(Readable.from(input), createGunzip(), () => {}) as unknown as AsyncIterable<Buffer>
}

function modulesAmong(names: readonly string[]): Set<string> {
  return new Set(names.flatMap((name) => /([^/]+)\.ko(?:\.(?:xz|zst|gz))?$/.exec(name)?.[1] ?? []))
}

async function isInstalled(program: string): Promise<boolean> {
  const folders = (process.env.PATH ?? '').split(':')
  return (await Promise.all(folders.map((folder) => exists(`${folder}/${program}`)))).includes(true)
}
