import { FatFiles } from '../../lib/disk/fat-files.ts'
import { GPT_HEAD, isGpt, type Partition, partitions } from '../../lib/disk/gpt.ts'
import type { GuestFiles } from '../../lib/disk/guest-files.ts'
import { mbrPartitions } from '../../lib/disk/mbr.ts'
import { openGuestFiles } from '../../lib/disk/open-files.ts'
import { type FoundRoot, rootAmong } from '../../lib/disk/root-partition.ts'
import { isZero } from '../../lib/files/archive.ts'
import type { Bytes } from '../../lib/files/bytes.ts'
import type { Find, Rules } from './rule.ts'

export const bootRules = {
  'boot-table': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'The (first) disk has no partition table that can be read.',
    fix: 'GPT with a BIOS boot partition, an EFI system partition and the root.',
  },
  'boot-table-end': {
    severity: 'warning',
    concerns: ['everyone'],
    what: 'The backup of the GPT is not at the end of the disk: it was enlarged or cut.',
    fix: 'sgdisk --move-second-header, or sfdisk --relocate gpt-bak-std.',
  },
  'boot-beyond-disk': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'A partition ends beyond the end of the disk.',
    fix: 'Give the disk its size back.',
  },
  'boot-bios': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'The machine boots by BIOS, and its first sector holds no boot code.',
    fix: 'Install GRUB for BIOS (grub-install --target=i386-pc), or state firmware efi.',
  },
  'boot-uefi': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'The machine boots by UEFI, and no EFI system partition holds EFI/BOOT/BOOTX64.EFI.',
    fix: 'grub-install --target=x86_64-efi --removable',
  },
  'firmware-efi-only': {
    severity: 'warning',
    concerns: ['virtualbox'],
    what: 'VirtualBox ignores firmware=efi and boots by BIOS, which this disk does not.',
    fix: 'Make the disk bootable by both, or add a vbox:Machine with <Firmware type="EFI"/>.',
  },
  'boot-one-firmware': {
    severity: 'note',
    concerns: ['virtualbox', 'vmware'],
    what: 'The disk boots by one firmware only; where the importer chooses the other, it does not start.',
    fix: 'Make it bootable by BIOS and by UEFI.',
  },
  'boot-kernel': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'The root file system has no kernel in /boot.',
    fix: 'Install one, unless /boot is a partition of its own.',
  },
  'boot-drivers': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'The kernel lacks drivers of a hypervisor’s default hardware, or of the controller that the descriptor names: disk or network is not found.',
    fix: "Debian's cloud kernel lacks them: install linux-image-amd64. RPM distributions have dropped mptsas: another pack.hardware.controller.",
  },
  'boot-initramfs': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'The initramfs lacks the driver of a hypervisor’s default controller, or of the one that the descriptor names: the root is not found.',
    fix: 'MODULES=most in /etc/initramfs-tools/initramfs.conf, update-initramfs -u; dracut --no-hostonly.',
  },
  'boot-initramfs-damaged': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'The initramfs cannot be unpacked: the kernel finds no root.',
    fix: 'update-initramfs -u, or dracut --force, with room in /boot; then shut down, do not cut the power.',
  },
  'boot-initramfs-unread': {
    severity: 'note',
    concerns: ['everyone'],
    what: 'The initramfs could not be unpacked here: whether it is whole, and has the drivers it needs, was not looked at.',
    fix: 'Install the program it takes and lint again, or boot the OVA once with each hypervisor (appliance vm-validate).',
  },
  'boot-fstab': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'fstab names a disk by what it was called while building (/dev/sda1); another controller calls it otherwise.',
    fix: 'UUID=… or LABEL=…',
  },
  'boot-root': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'fstab’s root is another UUID than the file system has.',
    fix: 'Write the UUID that blkid says.',
  },
  'boot-command-line': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'The boot loader names the root by a device (root=/dev/sda1).',
    fix: 'root=UUID=…',
  },
  'network-name': {
    severity: 'warning',
    concerns: ['everyone'],
    what: 'A network setting is for one interface name, which depends on the hypervisor’s hardware.',
    fix: '[Match] Name=en* eth*; netplan: match: {name: "e*"}.',
  },
  'network-mac': {
    severity: 'error',
    concerns: ['everyone'],
    what: "A network setting matches the build machine's MAC address: it matches nothing at a customer.",
    fix: 'Remove it.',
  },
  'identity-machine-id': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'A machine-id is shipped: two installations get one DHCP lease.',
    fix: 'Empty /etc/machine-id.',
  },
  'identity-host-keys': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'SSH host keys are shipped: whoever has the appliance can impersonate every customer’s.',
    fix: 'Remove them and make them at first boot.',
  },
  'identity-authorized-keys': {
    severity: 'warning',
    concerns: ['everyone'],
    what: 'A key lets its owner in at every customer’s.',
    fix: 'Remove /root/.ssh/authorized_keys, unless it is meant.',
  },
  'disk-unread': {
    severity: 'note',
    concerns: ['everyone'],
    what: 'Its root is no ext4 or xfs that could be read: kernel, fstab and network were not looked at.',
    fix: 'Boot the OVA once with each hypervisor (appliance vm-validate).',
  },
} as const satisfies Rules

export interface LintedRoot {
  files: GuestFiles
  /** What the disk is called in places: `x-disk1.vmdk`. */
  disk: string
  /** Whether there are partitions beside it that may be /boot. */
  hasOthers: boolean
  /** The one with a kernel. */
  boot: GuestFiles | undefined
}

const ESP = ['C12A7328-F81F-11D2-BA4B-00A0C93EC93B', 'ef']
const MAC_BIOS_BOOT = '21686148-6449-6E6F-744E-656564454649'

/** What the descriptor says of how the machine boots. */
export interface StatedFirmware {
  firmware: string
  /** Whether it has a word on it for VirtualBox, which reads no other. */
  forVirtualBox: boolean
}

/** Partition table and boot loaders of the first disk. @returns its root, if it is one that can be read */
export async function lintBoot(
  disk: Bytes,
  name: string,
  { firmware, forVirtualBox }: StatedFirmware,
  find: Find<typeof bootRules>,
): Promise<LintedRoot | undefined> {
  const head = await disk.read(0, GPT_HEAD)
  const found = await tableOf(disk, head)
  if (found === undefined || found.length === 0) {
    find('boot-table', `${name}@0`, found === undefined ? 'neither GPT nor MBR' : 'no partition in it')
    return undefined
  }
  for (const { number, start, length } of found)
    if (start + length > disk.size)
      find('boot-beyond-disk', name, `partition ${number} ends at byte ${start + length} of ${disk.size}`)
  if (isGpt(head)) {
    const backup = await disk.read(disk.size - 512, 8)
    if (backup.toString('latin1') !== 'EFI PART') find('boot-table-end', name, 'no header in the last sector')
  }
  const bios =
    !isZero(head.subarray(0, 440)) && (!isGpt(head) || found.some(({ type }) => type === MAC_BIOS_BOOT))
  const uefi = await loaderIn(disk, found)
  if (firmware === 'efi' && !uefi) find('boot-uefi', name, 'no EFI/BOOT/BOOTX64.EFI')
  else if (firmware !== 'efi' && !bios)
    find('boot-bios', `${name}@0`, uefi ? 'only a UEFI loader' : 'no boot code')
  else if (firmware === 'efi' && !bios && !forVirtualBox)
    find('firmware-efi-only', `${name}@0`, 'firmware=efi, and no boot code for BIOS')
  else if (bios !== uefi) find('boot-one-firmware', name, bios ? 'BIOS' : 'UEFI')

  const root = await readableRoot(disk, found)
  if (!root) {
    find('disk-unread', name, `${found.length} partitions`)
    return undefined
  }
  return { ...root, disk: name }
}

/** The file system of the guest's root; undefined where it is none that can be read. */
export async function rootOf(disk: Bytes): Promise<GuestFiles | undefined> {
  const found = await tableOf(disk, await disk.read(0, GPT_HEAD))
  return found && (await readableRoot(disk, found))?.files
}

async function readableRoot(
  disk: Bytes,
  all: readonly Partition[],
): Promise<Omit<LintedRoot, 'disk'> | undefined> {
  const root = await rootAmong(all, disk)
  const files = root && (await openGuestFiles(disk, root.partition.start, root.partition.length))
  if (!files || (await files.list('/etc')).length === 0) return undefined
  return { files, hasOthers: root.others.length > 0, boot: await bootAmong(root.others, disk) }
}

async function bootAmong(others: FoundRoot['others'], disk: Bytes): Promise<GuestFiles | undefined> {
  for (const { partition } of others) {
    const files = await openGuestFiles(disk, partition.start, partition.length)
    if (files && (await files.list('/')).some(({ name }) => name.startsWith('vmlinuz-'))) return files
  }
  return undefined
}

async function tableOf(disk: Bytes, head: Buffer): Promise<Partition[] | undefined> {
  if (head.length < GPT_HEAD) return undefined
  try {
    if (isGpt(head)) return partitions(head)
  } catch {
    return undefined
  }
  if (head.readUInt16LE(510) !== 0xaa55) return undefined
  return await mbrPartitions(async (at) => {
    const sector = await disk.read(at, 512)
    return sector.length === 512 ? sector : Buffer.alloc(512)
  })
}

async function loaderIn(disk: Bytes, found: readonly Partition[]): Promise<boolean> {
  for (const { type, start, length } of found) {
    if (!ESP.includes(type)) continue
    const esp = await FatFiles.open(disk, start, length)
    if (((await esp?.sizeOf('EFI/BOOT/BOOTX64.EFI')) ?? 0) > 0) return true
  }
  return false
}
