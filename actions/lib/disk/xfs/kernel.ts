import { gunzipSync } from 'node:zlib'
import { ApplianceError } from '../../errors/error.ts'
import { filter } from '../../process/filter.ts'
import type { GuestFiles } from '../guest-files.ts'

/** Where a kernel is looked for: a guest's file system, or the folder it is made from. */
export type KernelSource = Pick<GuestFiles, 'list' | 'read'>

/** A kernel that can read XFS from a virtio disk. */
export interface Kernel {
  version: string
  image: Buffer
  /** What it needs for that and has not built in, in the order of loading. */
  modules: Buffer[]
}

/** `crc32c_generic` is what the kernel's own loader would be asked for. Only the last must be there, in some way. */
const WANTED = ['crc32c_generic', 'virtio_pci', 'virtio_blk', 'xfs']
const LARGEST = 256 << 20
const MODULES = '/usr/lib/modules'

/**
 * The guest's newest kernel: it reads its own file system, whatever features that has.
 *
 * @param boot further places where the images may be, e.g. a partition that is mounted at /boot
 * @throws ApplianceError `input` where none is whole
 */
export async function kernelIn(
  source: KernelSource,
  boot: readonly KernelSource[],
  signal: AbortSignal,
): Promise<Kernel> {
  const versions = (await source.list(MODULES)).map(({ name }) => name).sort(byVersion)
  for (const version of versions.reverse()) {
    const image = await imageOf(version, source, boot)
    const modules = image && (await modulesOf(version, source, signal))
    if (image && modules) return { version, image, modules }
  }
  throw new ApplianceError(
    'input',
    versions.length === 0
      ? 'the guest has no kernel, which has to read its XFS file system'
      : `no kernel of the guest (${versions.join(', ')}) is there whole, with xfs and virtio_blk: it has to read its file system`,
    { hint: 'Install the distribution’s full kernel package in it, or let the root be ext4.' },
  )
}

/** Debian has it in /boot, RPM distributions beside the modules, too. */
async function imageOf(version: string, source: KernelSource, boot: readonly KernelSource[]) {
  for (const path of [`/boot/vmlinuz-${version}`, `${MODULES}/${version}/vmlinuz`]) {
    const image = await source.read(path, LARGEST)
    if (image?.length) return image
  }
  for (const other of boot) {
    const image = await other.read(`/vmlinuz-${version}`, LARGEST)
    if (image?.length) return image
  }
  return undefined
}

/** @see modules.dep(5): of a module's needs, the last is loaded first */
async function modulesOf(version: string, source: KernelSource, signal: AbortSignal) {
  const folder = `${MODULES}/${version}`
  const text = async (name: string) => (await source.read(`${folder}/${name}`, 16 << 20))?.toString() ?? ''
  const needs = new Map<string, string[]>()
  for (const line of (await text('modules.dep')).split('\n')) {
    const [path, rest = ''] = line.split(':')
    if (path) needs.set(moduleName(path), [path, ...rest.split(' ').filter(Boolean)])
  }
  const builtIn = new Set((await text('modules.builtin')).split('\n').filter(Boolean).map(moduleName))
  const paths = new Set<string>()
  for (const name of WANTED) {
    const chain = needs.get(name)
    if (!chain && !builtIn.has(name) && /^(xfs|virtio_blk)$/.test(name)) return undefined
    for (const path of chain?.toReversed() ?? []) paths.add(path)
  }
  const modules: Buffer[] = []
  for (const path of paths) {
    const packed = await source.read(path.startsWith('/') ? path : `${folder}/${path}`, LARGEST)
    if (!packed) return undefined
    modules.push(await unpacked(path, packed, signal))
  }
  return modules
}

function moduleName(path: string): string {
  return path
    .replace(/^.*\//, '')
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_')
}

async function unpacked(path: string, packed: Buffer, signal: AbortSignal): Promise<Buffer> {
  if (path.endsWith('.gz')) return gunzipSync(packed)
  const program = path.endsWith('.xz') ? 'xz' : path.endsWith('.zst') ? 'zstd' : undefined
  if (!program) return packed
  async function* whole() {
    yield packed
  }
  const pieces: Buffer[] = []
  for await (const piece of filter(program, ['-dcq'], whole(), signal)) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** 6.1.0-9 before 6.1.0-10. */
function byVersion(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}
