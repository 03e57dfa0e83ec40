import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ToolsRoot } from '../../lib/tools/tools.ts'

type Root = 'ext4' | 'xfs'
/** GRUB's modules that read them. */
const readers: Record<Root, string> = { ext4: 'ext2', xfs: 'xfs' }

/** Built in, so that /boot/grub needs nothing but grub.cfg. */
const modules = (root: Root) => [
  'part_gpt',
  readers[root],
  'search',
  'search_fs_uuid',
  'normal',
  'configfile',
  'linux',
  'echo',
  'test',
  'minicmd',
  'reboot',
  'halt',
]

/** What GRUB does first: find the root file system by its UUID, wherever the firmware put the disk. */
export function earlyConfiguration(rootUuid: string): string {
  return `search --no-floppy --fs-uuid --set=root ${rootUuid}
set prefix=($root)/boot/grub
configfile ($root)/boot/grub/grub.cfg
`
}

/**
 * GRUB for the BIOS, embedded by hand (grub-bios-setup wants a mounted file system): boot.img's code in the MBR with
 * the sector of core.img at 0x5c, core.img in the BIOS-boot partition with the list of its own further sectors at
 * 0x1f4 of its first one.
 *
 * @param start first sector of the BIOS-boot partition
 * @returns pieces of the disk, `at` in bytes
 * @see GRUB 2.12, grub-core/boot/i386/pc/{boot,diskboot}.S; util/setup.c
 */
export async function biosBoot(
  tools: ToolsRoot,
  early: string,
  work: string,
  { start, filesystem, signal }: { start: number; filesystem: Root; signal: AbortSignal },
) {
  const folder = join(tools.directory, 'usr/lib/grub/i386-pc')
  const path = join(work, 'core.img')
  await image(tools, 'i386-pc', [...modules(filesystem), 'biosdisk'], early, path, signal)
  const core = await readFile(path)
  const boot = (await readFile(join(folder, 'boot.img'))).subarray(0, 440)
  boot.writeBigUInt64LE(BigInt(start), 0x5c)
  boot.writeUInt16LE(0x9090, 0x66) // two NOPs: use the drive the BIOS booted from
  const sectors = Math.ceil(core.length / 512)
  core.writeBigUInt64LE(BigInt(start + 1), 0x1f4)
  core.writeUInt16LE(sectors - 1, 0x1fc)
  core.writeUInt16LE(0x820, 0x1fe) // segment the rest is loaded to
  return [
    { at: 0, bytes: boot },
    { at: start * 512, bytes: core },
  ]
}

/** GRUB for UEFI, as one file. Returns its path. */
export async function uefiImage(
  tools: ToolsRoot,
  early: string,
  work: string,
  { filesystem, signal }: { filesystem: Root; signal: AbortSignal },
): Promise<string> {
  const path = join(work, 'BOOTX64.EFI')
  await image(
    tools,
    'x86_64-efi',
    [...modules(filesystem), 'fat', 'efi_gop', 'efi_uga', 'all_video'],
    early,
    path,
    signal,
  )
  return path
}

async function image(
  tools: ToolsRoot,
  format: string,
  names: string[],
  early: string,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const folder = join(tools.directory, 'usr/lib/grub', format)
  await tools.run(
    'grub-mkimage',
    ['-O', format, '-d', folder, '-c', early, '-p', '/boot/grub', '-o', path, ...names],
    { signal },
  )
}
