import { randomBytes } from 'node:crypto'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { run } from '../../../actions/lib/process/command.ts'
import { rules } from '../../../actions/ova-pack/lint/lint.ts'
import type { Finding } from '../../../actions/ova-pack/lint/rule.ts'
import {
  bootableDisk,
  checksummed,
  description,
  digestLine,
  espImage,
  initramfs,
  lintOf,
  manifestOf,
  ovfOf,
  type Parts,
  parts,
  put,
  signingKey,
  tar,
  variant,
  vmdkOf,
} from './specimen.ts'
import { virtualBoxExport } from './virtualbox-export.ts'

let folder: string
let disk: string
let vmdk: Buffer
let ovf: string
let good: Parts

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ova-zoo-'))
  disk = await bootableDisk(join(folder, 'disk.raw'))
  vmdk = await vmdkOf(disk)
  ovf = ovfOf(vmdk)
  good = parts(ovf, vmdk)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const ids = (findings: readonly Finding[]) => [...new Set(findings.map(({ rule }) => rule))]
const errors = (findings: readonly Finding[]) => findings.filter(({ severity }) => severity === 'error')

describe('is silent on', () => {
  test('what ova-pack writes', async () => {
    expect(await lintOf(tar(good))).toEqual([])
  })

  test('a signed one', async () => {
    expect(await lintOf(tar(await signed()))).toEqual([])
  })

  test('one of GNU tar, with its long record of zeros at the end', async () => {
    expect(await lintOf(await byTar('--format=ustar'))).toEqual([])
  })

  test('what VirtualBox exports: judged for VirtualBox, since it says so', async () => {
    expect(await lintOf(virtualBoxExport(vmdk))).toEqual([])
    expect(ids(await lintOf(virtualBoxExport(vmdk), { for: ['vmware'] }))).toEqual(
      expect.arrayContaining([
        'manifest-blank',
        'manifest-position',
        'hardware-family',
        'controller-ide-subtype',
      ]),
    )
  })

  test('one of several disks, cards and languages', async () => {
    const second = { ...description.disk, file: 'good-disk2.vmdk', bytes: vmdk.length }
    const first = { ...second, file: 'good-disk1.vmdk' }
    const text = ovfOf(vmdk, {
      disk: first,
      dataDisks: [second],
      networks: [
        { name: 'Front', kind: 'VmxNet3', description: 'Customers' },
        { name: 'Back', kind: 'E1000', description: 'Databases' },
      ],
      eula: { en: 'Be nice.', de: 'Sei nett.' },
    })
    const [descriptor, , data] = parts(text, vmdk) as [Parts[0], Parts[0], Parts[0]]
    const more = { name: 'good-disk2.vmdk', content: vmdk }
    expect(await lintOf(tar([descriptor, manifestOf([descriptor, data, more]), data, more]))).toEqual([])
  })
})

async function byTar(...options: string[]): Promise<Buffer> {
  for (const { name, content } of good) await writeFile(join(folder, name), content)
  const file = join(folder, 'by-tar.ova')
  await run('tar', [...options, '-C', folder, '-cf', file, ...good.map(({ name }) => name)])
  return await readFile(file)
}

async function signed(change = (text: string) => text): Promise<Parts> {
  const { key, certificate } = await signingKey(folder)
  const manifest = good[1]!
  const hex = await run('openssl', ['dgst', '-sha256', '-sign', key, '-hex'], { input: manifest.content })
  const signature = hex.stdout.split('= ')[1]!.trim()
  const text = `SHA256(good.mf)= ${signature}\n${await readFile(certificate, 'utf8')}`
  return [good[0]!, manifest, { name: 'good.cert', content: Buffer.from(change(text)) }, good[2]!]
}

/** With another descriptor, and a manifest to it. */
const withOvf = (change: (text: string) => string): Buffer => {
  const changed = change(ovf)
  if (changed === ovf) throw new Error('this specimen is a good one')
  return tar(parts(changed, vmdk))
}
const swap = (from: string | RegExp, to: string) => () => withOvf((text) => text.replace(from, to))
const withManifest = (change: (text: string) => string): Buffer => {
  const [descriptor, manifest, data] = good as [Parts[0], Parts[0], Parts[0]]
  return tar([descriptor, { ...manifest, content: Buffer.from(change(manifest.content.toString())) }, data])
}
/** With other bytes for the disk, everything else made to fit. */
const withVmdk = (change: (bytes: Buffer) => Buffer | undefined): Buffer => {
  const copy = Buffer.from(vmdk)
  const changed = change(copy) ?? copy
  return tar(parts(ovfOf(changed), changed))
}
const withDisk = async (name: string, change: (copy: string) => Promise<unknown>): Promise<Buffer> => {
  const changed = await vmdkOf(await variant(disk, name, change))
  return tar(parts(ovfOf(changed), changed))
}
const holding = (path: string, content: string | Buffer) => (): Promise<Buffer> =>
  withDisk(path.replaceAll('/', '-'), (copy) => put(copy, path, content))
const bytesAt = (at: number, bytes: Buffer) => async (copy: string) => {
  await using file = await open(copy, 'r+')
  await file.write(bytes, 0, bytes.length, at)
}
const item = (type: number, inner = '') =>
  `<Item><rasd:ElementName>More</rasd:ElementName><rasd:InstanceID>99</rasd:InstanceID>${inner}<rasd:ResourceType>${type}</rasd:ResourceType></Item>\n    </VirtualHardwareSection>`
const END = '</VirtualHardwareSection>'
const footerAt = () => vmdk.length - 1024

/** Name of the failure → the rule that has to find it, the OVA, and when it is looked at (seconds since 1970). */
const zoo: Record<string, [string, () => Buffer | Promise<Buffer>, number?]> = {
  // Archives
  'an error page saved as an OVA': [
    'archive-damaged',
    () => Buffer.from('<html>404 Not Found</html>'.repeat(50)),
  ],
  'a download that broke off': ['archive-cut-short', () => tar(good).subarray(0, -5000)],
  'a download that lacks its last kilobyte': ['archive-end', () => tar(good).subarray(0, -1024)],
  'a download that lacks its last block': ['archive-end', () => tar(good).subarray(0, -512)],
  'two OVAs in one file': ['archive-after-end', () => Buffer.concat([tar(good), tar(good)])],
  'an archive by bsdtar with PAX headers (VirtualBox: VERR_TAR_UNSUPPORTED_PAX_TYPE)': [
    'archive-pax',
    () => byTar('--format=pax'),
  ],
  'an archive of the seventh edition': ['archive-format', () => byTar('--format=v7')],
  'the disk first (coreos-assembler#1141: Did not find an .ovf file at the beginning)': [
    'archive-first',
    () => tar([good[2]!, good[0]!, good[1]!]),
  ],
  'only a disk': ['archive-no-descriptor', () => tar([good[2]!])],
  'a folder zipped up as it was': [
    'archive-name',
    () => tar(good.map((part) => ({ ...part, name: `good/${part.name}` }))),
  ],
  'tar of the current folder, ./good.ovf': [
    'archive-name',
    () => tar(good.map((part) => ({ ...part, name: `./${part.name}` }))),
  ],
  'a link to the disk instead of the disk': [
    'archive-kind',
    () => tar([good[0]!, good[1]!, { ...good[2]!, content: Buffer.alloc(0), type: '2' }]),
  ],
  'the descriptor twice': ['archive-duplicate', () => tar([good[0]!, good[0]!, good[1]!, good[2]!])],
  "the builder's log in the archive": [
    'archive-stray',
    () => tar([...good, { name: 'build.log', content: Buffer.from('x') }]),
  ],
  'a bit flipped in padding': [
    'archive-padding',
    () => {
      const ova = tar(good)
      ova[512 + good[0]!.content.length] = 4
      return ova
    },
  ],
  'a bit flipped in a header': [
    'archive-damaged',
    () => {
      const ova = tar(good)
      ova[3]! ^= 1
      return ova
    },
  ],
  'a name of more than 100 bytes': [
    'archive-long-name',
    () =>
      tar([{ name: '././@LongLink', content: Buffer.from(`${'x'.repeat(120)}.ovf\0`), type: 'L' }, ...good]),
  ],
  // Manifests
  'no manifest': ['manifest-missing', () => tar([good[0]!, good[2]!])],
  'the manifest after the disk (ovftool: No supported manifest entry found)': [
    'manifest-position',
    () => tar([good[0]!, good[2]!, good[1]!]),
  ],
  'SHA256 (x) = (home-assistant/operating-system#826)': [
    'manifest-blank',
    () => withManifest((text) => text.replaceAll(/SHA256\((.*)\)= /g, 'SHA256 ($1) = ')),
  ],
  'SHA2-256(x)= of OpenSSL 3 (home-assistant/operating-system#3654)': [
    'manifest-syntax',
    () => withManifest((text) => text.replaceAll('SHA256', 'SHA2-256')),
  ],
  'lines of sha256sum': [
    'manifest-syntax',
    () => withManifest((text) => text.replaceAll(/SHA256\((.*)\)= (.*)/g, '$2  $1')),
  ],
  'an empty manifest': ['manifest-empty', () => withManifest(() => '')],
  'the manifest made before the descriptor was edited': [
    'digest-mismatch',
    () => {
      const other = tar(good)
      return Buffer.from(other.toString('latin1').replace('Be nice.', 'Be good.'), 'latin1')
    },
  ],
  'the disk renamed after the manifest was made': [
    'manifest-stranger',
    () => withManifest((text) => text.replace('good-disk1', 'old-disk1')),
  ],
  'a manifest of the descriptor alone': [
    'manifest-incomplete',
    () => withManifest((text) => text.split('\n').slice(0, 1).join('\n').concat('\n')),
  ],
  'a manifest that lists itself': [
    'manifest-itself',
    () => withManifest((text) => `${text}SHA256(good.mf)= ${'0'.repeat(64)}\n`),
  ],
  'a manifest of SHA-512 (virt-v2v: unverified)': [
    'manifest-sha512',
    () =>
      withManifest(
        () =>
          digestLine('good.ovf', good[0]!.content, 'sha512') + digestLine('good-disk1.vmdk', vmdk, 'sha512'),
      ),
  ],
  'a manifest of SHA-1': [
    'manifest-sha1',
    () =>
      withManifest(
        () => digestLine('good.ovf', good[0]!.content, 'sha1') + digestLine('good-disk1.vmdk', vmdk, 'sha1'),
      ),
  ],
  'a manifest of another name': [
    'manifest-name',
    () => tar([good[0]!, { ...good[1]!, name: 'other.mf' }, good[2]!]),
  ],
  'a manifest of Windows line ends and a file twice': [
    'manifest-twice',
    () => withManifest((text) => (text + text).replaceAll('\n', '\r\n')),
  ],
  // Signatures
  'an OVA whose manifest was replaced after signing': [
    'certificate-signature',
    async () => {
      const [o, , c, d] = await signed()
      return tar([o!, manifestOf([d!, o!]), c!, d!])
    },
  ],
  'a certificate of last year': ['certificate-expired', async () => tar(await signed()), 4e9],
  'a certificate without its signature': [
    'certificate-form',
    async () => tar(await signed((text) => text.slice(text.indexOf('-----')))),
  ],
  // Structure
  'a descriptor cut in the middle': ['descriptor-xml', () => withOvf((text) => text.slice(0, 2000))],
  'an ampersand in the product’s name': ['descriptor-xml', swap('<Product>Good', '<Product>R & D <')],
  'entities of a document type (XXE)': [
    'descriptor-xml',
    swap('<Envelope', '<!DOCTYPE Envelope [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<Envelope'),
  ],
  'OVF 2.0': [
    'descriptor-version-2',
    () => withOvf((text) => text.replaceAll('ovf/envelope/1', 'ovf/envelope/2')),
  ],
  'OVF 0.9 of VMware Server': [
    'descriptor-old',
    () =>
      withOvf((text) =>
        text.replaceAll(
          'http://schemas.dmtf.org/ovf/envelope/1',
          'http://www.vmware.com/schema/ovf/1/envelope',
        ),
      ),
  ],
  'the virtual system before the networks': [
    'envelope-order',
    () =>
      withOvf((text) => {
        const [network] = /<NetworkSection>[\s\S]*<\/NetworkSection>/.exec(text)!
        return text.replace(network, '').replace('</Envelope>', `${network}</Envelope>`)
      }),
  ],
  'a vApp of two machines (fails on ESXi alone)': [
    'system-collection',
    () =>
      withOvf((text) =>
        text
          .replace('<VirtualSystem ', '<VirtualSystemCollection ovf:id="all"><Info>x</Info><VirtualSystem ')
          .replace('</VirtualSystem>', '</VirtualSystem></VirtualSystemCollection>'),
      ),
  ],
  "no hardware (ESXi: Missing child element 'VirtualHardwareSection')": [
    'hardware-missing',
    swap(/<VirtualHardwareSection[\s\S]*<\/VirtualHardwareSection>/, ''),
  ],
  'a section without Info': ['section-info', swap(/<DiskSection>\s*<Info>.*<\/Info>/, '<DiskSection>')],
  'vmw:Config before System': [
    'hardware-order',
    () =>
      withOvf((text) =>
        text.replace(/<System>/, '<vmw:Config ovf:required="false" vmw:key="x" vmw:value="y"/><System>'),
      ),
  ],
  'items as a template left them, not in order': [
    'item-order',
    swap(/(<rasd:InstanceID>1<\/rasd:InstanceID>)\s*(<rasd:ResourceType>3<\/rasd:ResourceType>)/, '$2$1'),
  ],
  // References and disks
  'a reference to a disk of another name': [
    'reference-missing',
    swap('ovf:href="good-disk1', 'ovf:href="Good-disk1'),
  ],
  'a size from before the disk was compressed': ['reference-size', swap(/ovf:size="\d+"/, 'ovf:size="1"')],
  'a disk to be fetched on import': [
    'reference-url',
    swap('ovf:href="good', 'ovf:href="https://example.com/good'),
  ],
  'a disk in chunks': ['reference-chunks', swap('<File ', '<File ovf:chunkSize="1000" ')],
  'a gzipped disk': ['reference-compressed', swap('<File ', '<File ovf:compression="gzip" ')],
  'a capacity that is not the disk’s (home-assistant/operating-system#1084)': [
    'disk-capacity-differs',
    swap('ovf:capacity="48"', 'ovf:capacity="49"'),
  ],
  'a capacity in gigabytes (Proxmox: size undefined)': [
    'disk-capacity-unit',
    () =>
      withOvf((text) =>
        text.replace(
          'ovf:capacity="48" ovf:capacityAllocationUnits="byte * 2^20"',
          'ovf:capacity="48" ovf:capacityAllocationUnits="MegaBytes"',
        ),
      ),
  ],
  'a capacity with a unit in it': ['disk-capacity', swap('ovf:capacity="48"', 'ovf:capacity="48 MB"')],
  'the format of a raw disk': [
    'disk-format',
    swap(/ovf:format="[^"]*"/, 'ovf:format="http://www.gnome.org/~markmc/qcow-image-format.html"'),
  ],
  'a fileRef to nothing': ['disk-file', swap('ovf:fileRef="file1"', 'ovf:fileRef="file2"')],
  'a disk that is plugged in nowhere': ['disk-unused', swap('ovf:/disk/vmdisk1', 'ovf:/disk/vmdisk2')],
  // Hardware
  'made by VirtualBox (adsb-feeder-image#67: Unsupported hardware family)': [
    'hardware-family',
    swap('vmx-13', 'xen-3'),
  ],
  'a hardware version of next year': ['hardware-version', swap('vmx-13', 'vmx-22')],
  'ovftool --lax (vmx-99)': ['hardware-lax', swap('vmx-13', 'vmx-99')],
  'memory in KiB (VirtualBox refuses it)': [
    'memory-unit',
    () => withOvf((text) => text.replace(/(<rasd:AllocationUnits>byte \* 2\^)20/, '$110')),
  ],
  'half a processor': ['cpu-missing', swap('<rasd:VirtualQuantity>2<', '<rasd:VirtualQuantity>0.5<')],
  'a video card (VirtualBox: Unknown resource type 24 in hardware item)': [
    'item-unknown',
    swap(END, item(24)),
  ],
  'VMCI from ova-compose': ['item-unknown', swap(END, item(1))],
  'two items with one number': ['item-instance', swap('<rasd:InstanceID>2<', '<rasd:InstanceID>1<')],
  'a CD drive without Parent (VirtualBox refuses it)': [
    'item-parent',
    swap(/<rasd:Parent>6<\/rasd:Parent>/, ''),
  ],
  'a disk without an address on its controller (Proxmox names disks by it)': [
    'item-address',
    swap('<rasd:AddressOnParent>0<', '<rasd:AddressOnParent><'),
  ],
  "a disk at the SCSI controller's own address": [
    'scsi-address-7',
    swap('<rasd:AddressOnParent>0<', '<rasd:AddressOnParent>7<'),
  ],
  'PIIX4 (Graylog2/graylog2-images#211: VALUE_ILLEGAL)': [
    'controller-ide-subtype',
    swap('<rasd:ResourceType>5<', '<rasd:ResourceSubType>PIIX4</rasd:ResourceSubType><rasd:ResourceType>5<'),
  ],
  'pvscsi in Workstation (photon#690: Invalid target disk adapter type)': [
    'controller-pvscsi',
    swap('>lsilogic<', '>VirtualSCSI<'),
  ],
  'virtio disks from a KVM template': ['controller-unknown', swap('>lsilogic<', '>VirtioSCSI<')],
  'a virtio network card': ['nic-kind', swap('>VmxNet3<', '>virtio<')],
  'a card in a network that nobody names': [
    'nic-network',
    swap('<rasd:Connection>VM Network', '<rasd:Connection>bridged'),
  ],
  "last year's MAC address": [
    'nic-mac',
    swap(
      '<rasd:AddressOnParent>7<',
      '<rasd:Address>00:50:56:ab:cd:ef</rasd:Address><rasd:AddressOnParent>7<',
    ),
  ],
  'no disk at all': ['disk-none', swap('<rasd:ResourceType>17<', '<rasd:ResourceType>21<')],
  // Settings
  'firmware=uefi': ['firmware-value', swap('vmw:value="bios"', 'vmw:value="uefi"')],
  'a boot order (image-builder#619: vCenter shows BIOS)': [
    'boot-order',
    swap(
      '</VirtualSystem>',
      '<vmw:BootOrderSection vmw:type="disk"><Info>x</Info></vmw:BootOrderSection></VirtualSystem>',
    ),
  ],
  'vmw:Config that is required': ['config-required', swap('<vmw:Config ovf:required="false"', '<vmw:Config')],
  'properties and no transport': ['property-transport', swap(' ovf:transport="iso"', '')],
  'ISO transport and no CD drive': ['property-cd', swap('<rasd:ResourceType>15<', '<rasd:ResourceType>14<')],
  'a property without a default': ['property-default', swap(' ovf:value="good"', '')],
  'a port of 99999': [
    'property-default-type',
    swap(
      'ovf:type="string" ovf:userConfigurable="true" ovf:value="good"',
      'ovf:type="uint16" ovf:userConfigurable="true" ovf:value="99999"',
    ),
  ],
  'a default password': [
    'property-password',
    swap('ovf:userConfigurable', 'ovf:password="true" ovf:userConfigurable'),
  ],
  'a key with dots': ['property-key', swap('ovf:key="hostname"', 'ovf:key="net.hostname"')],
  'a type of its own': ['property-type', swap('ovf:type="string"', 'ovf:type="text"')],
  'an empty licence': ['eula-empty', swap(/<License>[\s\S]*<\/License>/, '<License></License>')],
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

describe('finds', () => {
  test.each(Object.entries(zoo))('%s', async (_, [rule, make, now]) => {
    const findings = await lintOf(await make(), now ? { now } : {})
    expect(ids(findings)).toContain(rule)
    for (const { evidence, place } of findings) expect(evidence + place).not.toMatch(/[\u0000-\u001f]/)
  })

  test('nothing else in what is wrong in one way only', async () => {
    for (const name of [
      'PIIX4 (Graylog2/graylog2-images#211: VALUE_ILLEGAL)',
      '/dev/sda1 in fstab',
      'firmware=uefi',
    ])
      expect(ids(errors(await lintOf(await zoo[name]![1]())))).toEqual([zoo[name]![0]])
  })
})

test('an ignored rule does not count, and a hypervisor that is not asked about does not either', async () => {
  const ova = await zoo['SHA256 (x) = (home-assistant/operating-system#826)']![1]()
  expect(await lintOf(ova, { ignore: ['manifest-blank'] })).toEqual([])
  expect(await lintOf(ova, { for: ['virtualbox'] })).toEqual([])
})

test('every rule has a specimen, or a reason why it has none', () => {
  const without = {
    'archive-many': 'a thousand members',
    'archive-header-form': 'property.test.ts flips its bits',
    'archive-descriptors': 'see archive-duplicate',
    'archive-order': 'needs two disks',
    'archive-large-size': 'needs 8 GiB',
    'manifest-algorithms': '',
    'manifest-case': 'property.test.ts',
    'certificate-algorithm': '',
    'certificate-alone': '',
    'certificate-position': '',
    'descriptor-size': '',
    'descriptor-namespace': '',
    'system-order': '',
    'item-namespace': '',
    'system-missing': '',
    'disk-section': '',
    'disk-id': '',
    'network-section': '',
    'memory-missing': '',
    'item-name': '',
    'disk-resource': 'see disk-unused',
    'controller-virt-v2v': '',
    'nic-none': '',
    'firmware-efi-only': '',
    'os-section': '',
    'message-missing': '',
    'vmdk-flags': 'see vmdk-type',
    'vmdk-order': '',
    'boot-beyond-disk': '',
    'boot-kernel': '',
    'identity-authorized-keys': '',
    'disk-unread': '',
  }
  const shown = new Set([...Object.values(zoo).map(([rule]) => rule), ...Object.keys(without)])
  expect(Object.keys(rules).filter((id) => !shown.has(id))).toEqual([])
  expect(Object.keys(zoo).length).toBeGreaterThan(100)
})

test('random bytes', async () => {
  expect(ids(await lintOf(checksummed(randomBytes(512))))).not.toEqual([])
})
