import { readFile } from 'node:fs/promises'
import { run } from '../../../../actions/lib/process/command.ts'
import { debugfs, ROOT } from '../sample-disk.ts'
import {
  description,
  digestLine,
  manifestOf,
  ovfOf,
  type Parts,
  parts,
  put,
  signingKey,
  tar,
} from '../specimen.ts'
import {
  bytesAt,
  folder,
  footerAt,
  good,
  signed,
  swap,
  vmdk,
  withDisk,
  withManifest,
  withOvf,
  withVmdk,
  type Zoo,
} from './keeper.ts'

const ENVELOPE_1 = 'http://schemas.dmtf.org/ovf/envelope/1'

/** Two disks in the descriptor and in the manifest, the second first in the archive. */
function disksInWrongOrder(): Buffer {
  const one = { ...description.disk, bytes: vmdk.length }
  const text = ovfOf(vmdk, { dataDisks: [{ ...one, file: 'good-disk2.vmdk' }] })
  const [descriptor, , first] = parts(text, vmdk) as [Parts[0], Parts[0], Parts[0]]
  const second = { name: 'good-disk2.vmdk', content: vmdk }
  return tar([descriptor, manifestOf([descriptor, first, second]), second, first])
}

async function signedBySha512(): Promise<Buffer> {
  const { key, certificate } = await signingKey(folder)
  const { content } = good[1]!
  const { stdout } = await run('openssl', ['dgst', '-sha512', '-sign', key, '-hex'], { input: content })
  const text = `SHA512(good.mf)= ${stdout.split('= ')[1]!.trim()}\n${await readFile(certificate, 'utf8')}`
  return tar([good[0]!, good[1]!, { name: 'good.cert', content: Buffer.from(text) }, good[2]!])
}

/** The first two grains in each other's place, their table made to fit. */
function grainsInWrongOrder(bytes: Buffer): Buffer {
  const begin = 128 * 512
  const lengthAt = (at: number) => Math.ceil((12 + bytes.readUInt32LE(at + 8)) / 512) * 512
  const middle = begin + lengthAt(begin)
  const end = middle + lengthAt(middle)
  const [first, second] = [bytes.subarray(begin, middle), bytes.subarray(middle, end)].map((one) =>
    Buffer.from(one),
  )
  Buffer.concat([second!, first!]).copy(bytes, begin)
  const directory = Number(bytes.readBigUInt64LE(footerAt() + 56)) * 512
  const table = bytes.readUInt32LE(directory) * 512
  const entryOf = (grain: Buffer) => table + 4 * (Number(grain.readBigUInt64LE(0)) / 128)
  bytes.writeUInt32LE(begin / 512, entryOf(second!))
  bytes.writeUInt32LE((begin + second!.length) / 512, entryOf(first!))
  return bytes
}

/** The third partition's end, of which GPT's checksum of its entries knows nothing. */
async function partitionBeyondTheEnd(copy: string): Promise<void> {
  const end = Buffer.alloc(8)
  end.writeBigUInt64LE(1n << 30n)
  await bytesAt(1024 + 2 * 128 + 40, end)(copy)
}

/** What is seldom wrong, or only together with something else. */
export const rare: Zoo = {
  // Archive, manifest, certificate
  'a thousand notes beside the disk': [
    'archive-many',
    () =>
      tar([
        ...good,
        ...Array.from({ length: 1001 }, (_, n) => ({ name: `${n}.txt`, content: Buffer.alloc(0) })),
      ]),
  ],
  'the descriptor of last year, too': [
    'archive-descriptors',
    () => tar([...good, { name: 'old.ovf', content: good[0]!.content }]),
  ],
  'a checksum that ends in a blank and NUL': [
    'archive-header-form',
    () => {
      const bytes = tar(good)
      bytes.write(' \0', 154, 'latin1')
      return bytes
    },
  ],
  'disks as the file system lists them': ['archive-order', disksInWrongOrder],
  'a manifest by two tools': [
    'manifest-algorithms',
    () => withManifest((text) => text.replace(/^.*\n/, digestLine('good.ovf', good[0]!.content, 'sha1'))),
  ],
  'digests in capital letters': [
    'manifest-case',
    () => withManifest((text) => text.replace(/[0-9a-f]{64}/g, (hex) => hex.toUpperCase())),
  ],
  'a manifest that was left out afterwards': [
    'certificate-alone',
    async () => tar((await signed()).filter(({ name }) => !name.endsWith('.mf'))),
  ],
  'a certificate that was added at the end': [
    'certificate-position',
    async () => {
      const [descriptor, manifest, certificate, data] = await signed()
      return tar([descriptor!, manifest!, data!, certificate!])
    },
  ],
  'a signature by SHA-512': ['certificate-algorithm', signedBySha512],
  // Descriptor
  'a descriptor with a log in it': ['descriptor-size', () => withOvf((text) => text + '\n'.repeat(4 << 20))],
  'an Envelope of nobody': [
    'descriptor-namespace',
    () => withOvf((text) => text.replaceAll(ENVELOPE_1, 'http://example.com/ovf')),
  ],
  'a VirtualSystem without Info': ['system-order', swap('<Info>A virtual machine</Info>', '')],
  'an Item with a word of its own': ['item-namespace', swap('<Item>', '<Item><Caption>x</Caption>')],
  'disks and nothing to plug them into': [
    'system-missing',
    swap(/<VirtualSystem [\s\S]*<\/VirtualSystem>/, ''),
  ],
  'a DiskSection without disks': ['disk-section', swap(/<Disk [^>]*>(<\/Disk>)?/, '')],
  'a disk called "disk 1"': ['disk-id', () => withOvf((text) => text.replaceAll('vmdisk1', 'disk 1'))],
  'a network card and no network': ['network-section', swap(/<NetworkSection>[\s\S]*<\/NetworkSection>/, '')],
  'a licence in no language': ['message-missing', swap('<License>', '<License ovf:msgid="gone">')],
  'a system of no kind': ['os-section', swap(/<OperatingSystemSection[\s\S]*<\/OperatingSystemSection>/, '')],
  // Hardware
  'no memory': ['memory-missing', swap('<rasd:ResourceType>4<', '<rasd:ResourceType>21<')],
  'an item that nobody named': ['item-name', swap(/<rasd:ElementName>[^<]*memory</, '<rasd:ElementName><')],
  'a drive with a disk of another archive': ['disk-resource', swap('ovf:/disk/vmdisk1', 'ovf:/disk/vmdisk9')],
  'NVMe (virt-v2v and Proxmox know no such controller)': [
    'controller-virt-v2v',
    swap('>lsilogic<', '>vmware.nvme.controller<'),
  ],
  'a machine without a network card': ['nic-none', swap('<rasd:ResourceType>10<', '<rasd:ResourceType>21<')],
  // Disks
  'grains that the header calls uncompressed': [
    'vmdk-flags',
    () =>
      withVmdk((bytes) => {
        bytes.writeUInt32LE(1, 8)
        return bytes
      }),
  ],
  'grains as several threads finished them': ['vmdk-order', () => withVmdk(grainsInWrongOrder)],
  'a disk that was cut short': ['boot-beyond-disk', () => withDisk('beyond', partitionBeyondTheEnd)],
  'a root without a kernel': [
    'boot-kernel',
    () => withDisk('kernel', (copy) => debugfs(copy, 'rm /boot/vmlinuz-6.1')),
  ],
  "the builder's key for root": [
    'identity-authorized-keys',
    () =>
      withDisk('keys', async (copy) => {
        await debugfs(copy, 'mkdir /root', 'mkdir /root/.ssh')
        await put(copy, '/root/.ssh/authorized_keys', 'ssh-ed25519 AAAA builder\n')
      }),
  ],
  'a root of a file system that the lint does not read': [
    'disk-unread',
    () => withDisk('unread', bytesAt(ROOT + 1024 + 56, Buffer.alloc(2))),
  ],
}
