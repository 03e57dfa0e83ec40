import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { GuestFiles } from '../../lib/disk/guest-files.ts'
import { exists } from '../../lib/files/exists.ts'
import { filter } from '../../lib/process/filter.ts'
import { CpioNames } from './cpio.ts'

/** Programs that unpack what the first bytes show; Node itself knows only gzip on every version. */
const packers: readonly { magic: string; program: string; args: readonly string[] }[] = [
  { magic: '28b52ffd', program: 'zstd', args: ['-dcq'] },
  { magic: 'fd377a58', program: 'xz', args: ['-dcq'] },
  { magic: '02214c18', program: 'lz4', args: ['-dcq'] },
  { magic: '5d000080', program: 'xz', args: ['-dcq', '--format=lzma'] },
]

/**
 * Names of the kernel modules in an initramfs (`mptspi`); undefined where there is no such file, or no program to
 * unpack it.
 */
export async function initramfsModules(
  files: GuestFiles,
  path: string,
  signal: AbortSignal,
): Promise<Set<string> | undefined> {
  const head = await files.read(path, 4)
  if (!head || head.length < 4) return undefined
  // Microcode comes first, in an archive of its own that is not compressed; its end is found by its trailer.
  const plain = new CpioNames()
  let rest: Buffer | undefined
  const source = files.stream(path)
  // By hand: for await would end the stream where it breaks off, and the rest is still to be read.
  for (let next = await source.next(); !next.done; next = await source.next()) {
    signal.throwIfAborted()
    rest = plain.add(next.value)
    if (rest) break
  }
  const modules = modulesAmong(plain.names)
  if (!rest) return modules.size > 0 ? modules : undefined
  const unpacked = await unpacker(rest, source, signal)
  if (!unpacked) return undefined
  const main = new CpioNames()
  try {
    for await (const piece of unpacked) {
      signal.throwIfAborted()
      if (main.add(piece as Buffer)) break
    }
  } catch (error) {
    if (signal.aborted) throw error
    return undefined // damaged, or an unpacker that gave up: the lint of the VMDK says so
  }
  return modulesAmong([...plain.names, ...main.names])
}

function modulesAmong(names: readonly string[]): Set<string> {
  return new Set(names.flatMap((name) => /([^/]+)\.ko(?:\.(?:xz|zst|gz))?$/.exec(name)?.[1] ?? []))
}

async function unpacker(
  first: Buffer,
  source: AsyncGenerator<Buffer>,
  signal: AbortSignal,
): Promise<AsyncIterable<Buffer> | undefined> {
  async function* all() {
    yield first
    yield* source
  }
  const magic = first.toString('hex', 0, 4)
  if (magic.startsWith('1f8b')) return Readable.from(all()).pipe(createGunzip()) as AsyncIterable<Buffer>
  const packer = packers.find((one) => one.magic === magic)
  if (!packer) return undefined
  const folders = (process.env.PATH ?? '').split(':')
  const there = await Promise.all(folders.map((folder) => exists(`${folder}/${packer.program}`)))
  return there.includes(true) ? filter(packer.program, packer.args, all(), signal) : undefined
}
