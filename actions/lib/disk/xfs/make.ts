import { type Kernel, type KernelSource, kernelIn } from './kernel.ts'
import { xfsSession } from './machine.ts'

export interface NewXfs {
  /** Raw, partitioned. */
  disk: string
  /** Its number. */
  partition: number
  uuid: string
  /** A tar archive of all that is to be on it. */
  archive: string
  /** Where the kernel is that is to be on it. */
  source: KernelSource
  /** Root with the programs. */
  programs: string
  scratch: string
  signal: AbortSignal
}

/**
 * Makes an XFS file system with files in it, by the kernel that will use it. Owners, attributes and hard links are as
 * the archive has them.
 *
 * @returns the kernel's version
 */
export async function makeXfs(order: NewXfs): Promise<string> {
  const { disk, partition, uuid, archive, source, programs, scratch, signal } = order
  const kernel: Kernel = await kernelIn(source, [], signal)
  const make = ['-q', '-f', ...featuresFor(kernel.version), '-m', `uuid=${uuid}`, '-L', 'root']
  const steps = ['make', String(make.length), ...make, 'mount', 'fill', 'unmount', 'check']
  await xfsSession({ kernel, programs, disk, partition, archive, steps, scratch, signal })
  return kernel.version
}

/**
 * What the kernel knows, and GRUB: features that came after Linux 6.1 GRUB 2.12 and older do not read. xfsprogs' own lists
 * (`lts_6.1.conf`) say the same, and are not used since those of xfsprogs 6.1 have a fault that it refuses.
 *
 * @see mkfs.xfs(8)
 */
export function featuresFor(kernel: string): string[] {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10))
  const since2038 = major > 5 || (major === 5 && minor >= 10) ? 1 : 0
  const metadata = `crc=1,finobt=1,reflink=1,rmapbt=0,bigtime=${since2038},inobtcount=${since2038}`
  return ['-m', metadata, '-i', 'sparse=1,nrext64=0']
}
