import { createHash } from 'node:crypto'
import { cp, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { memoryBytes } from '../../../actions/lib/files/bytes.ts'
import { ustarHeader } from '../../../actions/lib/files/ustar.ts'
import { type Description, descriptor } from '../../../actions/lib/ovf/descriptor.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { writeVmdk } from '../../../actions/lib/vmdk/file.ts'
import { type LintOptions, lintBytes } from '../../../actions/ova-pack/lint/lint.ts'
import type { Finding } from '../../../actions/ova-pack/lint/rule.ts'
import { initramfs } from '../../fixtures/initramfs.ts'
import { quietLog } from './quiet-log.ts'
import { debugfs, type Files, placeFiles, ROOT, sampleDisk, withBootCode } from './sample-disk.ts'

const MIB = 2 ** 20
export const DISK_SIZE = 48 * MIB

/** An archive's members in their order, and what can be odd about them. */
export type Parts = { name: string; content: Buffer; type?: string }[]

/** A FAT12 with EFI/BOOT/BOOTX64.EFI in it, 1 MiB. */
export function espImage(loader = 'BOOTX64 EFI'): Buffer {
  const image = Buffer.alloc(MIB)
  image.writeUInt16LE(512, 11)
  image[13] = 1
  image.writeUInt16LE(1, 14)
  image[16] = 1
  image.writeUInt16LE(16, 17)
  image.writeUInt16LE(2048, 19)
  image.writeUInt16LE(6, 22)
  image.writeUInt16LE(0xaa55, 510)
  const root = 7 * 512
  const data = root + 512
  const entry = (at: number, name: string, folder: boolean, cluster: number, size: number) => {
    image.write(name.padEnd(11), at, 'latin1')
    image[at + 11] = folder ? 0x10 : 0x20
    image.writeUInt16LE(cluster, at + 26)
    image.writeUInt32LE(size, at + 28)
  }
  entry(root, 'EFI', true, 2, 0)
  entry(data, 'BOOT', true, 3, 0)
  entry(data + 512, loader, false, 4, 100)
  for (let cluster = 2; cluster < 5; cluster++) {
    const at = 512 + Math.floor(cluster * 1.5)
    image.writeUInt16LE(image.readUInt16LE(at) | (cluster % 2 ? 0xfff0 : 0x0fff), at)
  }
  return image
}

const modules = ['mptspi', 'vmw_pvscsi', 'ahci', 'vmxnet3', 'e1000']

/** A disk that looks bootable to whoever only reads it: both loaders, a kernel with its drivers, an fstab. */
export async function bootableDisk(path: string): Promise<string> {
  const files: Files = {
    '/boot/vmlinuz-6.1': 'kernel',
    '/boot/initrd.img-6.1': initramfs(...modules),
    '/usr/lib/modules/6.1/modules.dep': modules.map((name) => `kernel/drivers/${name}.ko:\n`).join(''),
    '/usr/lib/modules/6.1/modules.builtin': 'kernel/drivers/block/virtio_blk.ko\n',
    '/usr/lib/os-release': 'ID=debian\n',
    '/boot/grub/grub.cfg': 'linux /vmlinuz root=UUID=x ro\n',
    '/etc/fstab': '',
    '/etc/machine-id': '',
    '/etc/systemd/network/80-any.network': '[Match]\nName=en* eth*\n',
    '/etc/netplan/60-any.yaml': 'network: {version: 2}\n',
    '/etc/ssh/sshd_config': '',
    '/srv/text': 'All work and no play makes Jack a dull boy.\n'.repeat(20_000),
  }
  await sampleDisk(path, files, DISK_SIZE / MIB)
  await withBootCode(path)
  await using disk = await open(path, 'r+')
  await disk.write(espImage(), 0, MIB, 2 * MIB)
  const uuid = Buffer.alloc(16)
  await disk.read(uuid, 0, 16, ROOT + 1024 + 104)
  const hex = uuid.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  await put(path, '/etc/fstab', `UUID=${hex} / ext4 defaults 0 1\n`)
  return path
}

/** Puts a file into a sample disk, in the place of what is there. */
export async function put(disk: string, path: string, content: string | Buffer): Promise<void> {
  const from = `${disk}.put`
  await writeFile(from, content)
  const cut = path.lastIndexOf('/')
  await debugfs(disk, `rm ${path}`, `cd ${path.slice(0, cut)}`, `write ${from} ${path.slice(cut + 1)}`)
}

/** Gives a sample disk a partition for /boot, in the place of its ESP. */
export async function ownBoot(disk: string, files: Files): Promise<void> {
  const tree = `${disk}.boot`
  await placeFiles(tree, files)
  const features = ['-b', '1024', '-O', '^has_journal', '-E', `offset=${2 * MIB},root_owner=0:0`]
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', ...features, '-d', tree, disk, '1M'])
  await debugfs(disk, 'rm /boot/vmlinuz-6.1', 'rm /boot/initrd.img-6.1', 'rm /boot/grub/grub.cfg')
}

/** A changed copy. */
export async function variant(
  disk: string,
  name: string,
  change: (copy: string) => Promise<unknown>,
): Promise<string> {
  const copy = `${disk}.${name}`
  await cp(disk, copy)
  await change(copy)
  return copy
}

export async function vmdkOf(disk: string, name = 'good-disk1.vmdk'): Promise<Buffer> {
  const pieces: Buffer[] = []
  const order = {
    disk,
    capacity: DISK_SIZE,
    name,
    log: quietLog(),
    signal: new AbortController().signal,
    threads: 1,
  }
  await writeVmdk(order, async (bytes) => void pieces.push(Buffer.from(bytes)))
  return Buffer.concat(pieces)
}

export const description: Description = {
  name: 'good',
  version: '1',
  product: { title: 'Good', vendor: 'Example Ltd', url: 'https://example.com' },
  annotation: 'Read me',
  eula: 'Be nice.\n',
  properties: [{ key: 'hostname', type: 'string', label: 'Name', description: 'Its name', default: 'good' }],
  system: 'debian',
  cpus: 2,
  memory: 2 ** 31,
  nic: 'VmxNet3',
  firmware: 'bios',
  disk: { file: 'good-disk1.vmdk', bytes: 0, capacity: DISK_SIZE, populated: 65_536 },
}

export function ovfOf(vmdk: Buffer, more: Partial<Description> = {}): string {
  return descriptor({ ...description, disk: { ...description.disk, bytes: vmdk.length }, ...more })
}

export function digestLine(name: string, content: Buffer, algorithm = 'sha256'): string {
  return `${algorithm.toUpperCase()}(${name})= ${createHash(algorithm).update(content).digest('hex')}\n`
}

/** Descriptor, manifest, disks, as a good OVA has them. */
export function parts(ovf: string, vmdk: Buffer): Parts {
  const descriptor = { name: 'good.ovf', content: Buffer.from(ovf) }
  const disk = { name: 'good-disk1.vmdk', content: vmdk }
  return [descriptor, manifestOf([descriptor, disk]), disk]
}

export function manifestOf(members: Parts): Parts[number] {
  const lines = members.map(({ name, content }) => digestLine(name, content)).join('')
  return { name: 'good.mf', content: Buffer.from(lines) }
}

/** @param owner VirtualBox names its OVF version there, and leaves out the blocks that end an archive */
export function tar(members: Parts, owner: 'root' | 'vboxovf10' = 'root'): Buffer {
  const blocks = members.flatMap(({ name, content, type }) => {
    const header = ustarHeader(name, content.length)
    if (type) header.write(type, 156)
    header.write(owner, 265)
    return [checksummed(header), content, Buffer.alloc((512 - (content.length % 512)) % 512)]
  })
  return Buffer.concat([...blocks, Buffer.alloc(owner === 'root' ? 1024 : 0)])
}

export function checksummed(header: Buffer): Buffer {
  header.write('        ', 148)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

export async function lintOf(ova: Buffer, options: Partial<LintOptions> = {}): Promise<Finding[]> {
  const signal = new AbortController().signal
  return (await lintBytes(memoryBytes(ova), { now: Date.now() / 1000, signal, ...options })).findings
}

/** A key and its certificate, by openssl. */
export async function signingKey(folder: string): Promise<{ key: string; certificate: string }> {
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  const subject = ['-subj', '/CN=Example Ltd', '-days', '3650']
  await run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    ...subject,
    '-keyout',
    key,
    '-out',
    certificate,
  ])
  return { key, certificate }
}

/** With a `.cert` to their manifest, made by openssl alone. */
export async function signedParts(
  folder: string,
  [descriptor, manifest, ...others]: Parts,
  change = (text: string) => text,
): Promise<Parts> {
  const { key, certificate } = await signingKey(folder)
  const hex = await run('openssl', ['dgst', '-sha256', '-sign', key, '-hex'], { input: manifest!.content })
  const signature = hex.stdout.split('= ')[1]!.trim()
  const text = `SHA256(good.mf)= ${signature}\n${await readFile(certificate, 'utf8')}`
  return [descriptor!, manifest!, { name: 'good.cert', content: Buffer.from(change(text)) }, ...others]
}
