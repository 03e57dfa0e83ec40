import { readFile } from 'node:fs/promises'
import { run } from '../../../../actions/lib/process/command.ts'
import { initramfs, largeInitramfs } from '../../../fixtures/initramfs.ts'
import { espImage, ovfOf, ownBoot, parts, put, tar, variant, vmdkOf } from '../specimen.ts'
import { bytesAt, disk, footerAt, holding, vmdk, withDisk, withVmdk, type Zoo } from './keeper.ts'

export const disks: Zoo = {
  // VMDKs
  "qemu-img's slack after the end of the stream (home-assistant/operating-system#2121, talos#11053)": [
    'vmdk-slack',
    () => withVmdk((bytes) => Buffer.concat([bytes, Buffer.alloc(31_232)])),
  ],
  'qemu-img itself': [
    'vmdk-slack',
    async () => {
      await run('qemu-img', [
        'convert',
        '-O',
        'vmdk',
        '-o',
        'subformat=streamOptimized',
        disk,
        `${disk}.qemu`,
      ])
      const bytes = await readFile(`${disk}.qemu`)
      return tar(parts(ovfOf(bytes), bytes))
    },
  ],
  'a raw disk called .vmdk': ['vmdk-header', () => withVmdk(() => Buffer.alloc(65_536, 1))],
  'a text descriptor without its disk (monolithicFlat)': [
    'vmdk-header',
    () => withVmdk(() => Buffer.from('# Disk DescriptorFile\nversion=1\n')),
  ],
  'version 1 (ESXi: sparse VMDK version too old, glennmatthews/cot#65)': [
    'vmdk-version',
    () =>
      withVmdk((bytes) => {
        bytes.writeUInt32LE(1, 4)
        return bytes
      }),
  ],
  'a monolithicSparse disk': [
    'vmdk-type',
    async () => {
      await run('qemu-img', ['convert', '-O', 'vmdk', disk, `${disk}.sparse`])
      const bytes = await readFile(`${disk}.sparse`)
      return tar(parts(ovfOf(bytes), bytes))
    },
  ],
  'a transfer by FTP in text mode': [
    'vmdk-text-mode',
    () =>
      withVmdk((bytes) => {
        bytes.write('\n \n\n', 73, 'latin1')
        return bytes
      }),
  ],
  'a stream without its end': ['vmdk-end', () => withVmdk((bytes) => bytes.subarray(0, -512))],
  'a stream without its footer': [
    'vmdk-footer',
    () => withVmdk((bytes) => Buffer.concat([bytes.subarray(0, -1536), bytes.subarray(-512)])),
  ],
  'a footer of another disk': [
    'vmdk-footer',
    () =>
      withVmdk((bytes) => {
        bytes.writeBigUInt64LE(1n, footerAt() + 12)
        return bytes
      }),
  ],
  'a directory that points beyond the file': [
    'vmdk-directory',
    () =>
      withVmdk((bytes) => {
        bytes.writeBigUInt64LE(1n << 40n, footerAt() + 56)
        return bytes
      }),
  ],
  'a grain with a flipped bit': [
    'vmdk-grain',
    () =>
      withVmdk((bytes) => {
        bytes[65_536 + 40]! ^= 1
        return bytes
      }),
  ],
  'a grain at another address': [
    'vmdk-table',
    () =>
      withVmdk((bytes) => {
        bytes.writeBigUInt64LE(128n * 300n, 65_536)
        return bytes
      }),
  ],
  'a snapshot without its parent': [
    'vmdk-descriptor',
    () =>
      withVmdk((bytes) => {
        const at = bytes.indexOf('parentCID=ffffffff')
        bytes.write('parentCID=12345678', at)
        return bytes
      }),
  ],
  'CID=ffffffff': [
    'vmdk-content-id',
    () =>
      withVmdk((bytes) => {
        bytes.write('CID=ffffffff', bytes.indexOf('CID='))
        return bytes
      }),
  ],
  'an extent of another size': [
    'vmdk-extent',
    () =>
      withVmdk((bytes) => {
        bytes.write('RDONLY 00001', bytes.indexOf('RDONLY'))
        return bytes
      }),
  ],
  'something hidden in padding': [
    'vmdk-padding',
    () =>
      withVmdk((bytes) => {
        bytes[bytes.length - 5] = 1
        return bytes
      }),
  ],
  // What is on the disk
  'a disk that was never partitioned': [
    'boot-table',
    () => withDisk('table', bytesAt(0, Buffer.alloc(17_408))),
  ],
  'a disk enlarged without its backup table': [
    'boot-table-end',
    () => withDisk('backup', bytesAt(48 * 2 ** 20 - 512, Buffer.alloc(512))),
  ],
  'a disk without boot code (BIOS: no bootable device)': [
    'boot-bios',
    () => withDisk('bios', bytesAt(0, Buffer.alloc(440))),
  ],
  'an EFI appliance without its loader at the default path': [
    'boot-uefi',
    async () => {
      const changed = await vmdkOf(await variant(disk, 'esp', bytesAt(2 * 2 ** 20, espImage('GRUBX64 EFI'))))
      return tar(parts(ovfOf(changed, { firmware: 'efi' }), changed))
    },
  ],
  'EFI alone, which VirtualBox does not take from here': [
    'firmware-efi-only',
    async () => {
      const changed = await vmdkOf(await variant(disk, 'efi-only', bytesAt(0, Buffer.alloc(440))))
      return tar(parts(ovfOf(changed, { firmware: 'efi' }), changed))
    },
  ],
  'a disk for one firmware only': [
    'boot-one-firmware',
    () => withDisk('one', bytesAt(2 * 2 ** 20, espImage('GRUBX64 EFI'))),
  ],
  "Debian's cloud kernel on VMware (no mptspi)": [
    'boot-drivers',
    holding(
      '/usr/lib/modules/6.1/modules.dep',
      'kernel/drivers/vmw_pvscsi.ko:\nkernel/drivers/ahci.ko:\nkernel/drivers/vmxnet3.ko:\n',
    ),
  ],
  'an initramfs of MODULES=dep': [
    'boot-initramfs',
    holding('/boot/initrd.img-6.1', initramfs('ahci', 'virtio_blk')),
  ],
  'one of MODULES=dep that is larger than what is read at a time': [
    'boot-initramfs',
    holding('/boot/initrd.img-6.1', largeInitramfs('ahci', 'virtio_blk')),
  ],
  'an initramfs that a full /boot cut short': [
    'boot-initramfs-damaged',
    holding('/boot/initrd.img-6.1', largeInitramfs('mptspi', 'vmw_pvscsi', 'ahci').subarray(0, 1_500_000)),
  ],
  'a damaged one in a partition that is /boot': [
    'boot-initramfs-damaged',
    () =>
      withDisk('own-boot', (copy) =>
        ownBoot(copy, { 'vmlinuz-6.1': 'kernel', 'initrd.img-6.1': 'not found' }),
      ),
  ],
  'root=/dev/sda1 in the grub.cfg of such a partition': [
    'boot-command-line',
    () =>
      withDisk('own-grub', (copy) =>
        ownBoot(copy, { 'vmlinuz-6.1': 'kernel', 'grub/grub.cfg': 'linux /vmlinuz root=/dev/sda1\n' }),
      ),
  ],
  'an initramfs of no bytes, from a power cut while it was written': [
    'boot-initramfs-damaged',
    holding('/boot/initrd.img-6.1', ''),
  ],
  'lsilogicsas with a kernel that has no mptsas, as that of EL 8': [
    'boot-drivers',
    () => tar(parts(ovfOf(vmdk, { controller: 'lsilogicsas' }), vmdk)),
  ],
  'an initramfs for other controllers than the one described': [
    'boot-initramfs',
    async () => {
      const modules = ['mptspi', 'vmw_pvscsi', 'ahci', 'vmxnet3', 'e1000', 'nvme']
      const dep = modules.map((name) => `kernel/drivers/${name}.ko:\n`).join('')
      const changed = await vmdkOf(
        await variant(disk, 'no-nvme', (copy) => put(copy, '/usr/lib/modules/6.1/modules.dep', dep)),
      )
      return tar(parts(ovfOf(changed, { controller: 'nvme' }), changed))
    },
  ],
  '/dev/sda1 in fstab': ['boot-fstab', holding('/etc/fstab', '/dev/sda1 / ext4 defaults 0 1\n')],
  "another disk's UUID in fstab": [
    'boot-root',
    holding('/etc/fstab', 'UUID=00000000-0000-4000-8000-000000000000 / ext4 defaults 0 1\n'),
  ],
  'root=/dev/sda1 in grub.cfg': [
    'boot-command-line',
    holding('/boot/grub/grub.cfg', '  linux /vmlinuz root=/dev/sda1 ro\n'),
  ],
  "a netplan that matches the builder's MAC": [
    'network-mac',
    holding(
      '/etc/netplan/60-any.yaml',
      'network:\n  ethernets:\n    a:\n      match: {macaddress: "52:54:00:12:34:56"}\n',
    ),
  ],
  'a network setting for enp0s3': [
    'network-name',
    holding('/etc/systemd/network/80-any.network', '[Match]\nName=enp0s3\n'),
  ],
  'one machine-id for all': [
    'identity-machine-id',
    holding('/etc/machine-id', '0123456789abcdef0123456789abcdef\n'),
  ],
  'one SSH host key for all': ['identity-host-keys', holding('/etc/ssh/ssh_host_ed25519_key', 'key')],
}
