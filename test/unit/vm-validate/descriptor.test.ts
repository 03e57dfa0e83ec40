import { describe, expect, test } from '@jest/globals'
import { descriptor as packedDescriptor } from '../../../actions/lib/ovf/descriptor.ts'
import { bytesOfUnit, parseDescriptor } from '../../../actions/vm-validate/ova/descriptor.ts'
import { parseManifest } from '../../../actions/vm-validate/ova/manifest.ts'
import { parseXml } from '../../../actions/vm-validate/ova/xml.ts'

const item = (fields: Record<string, string>) =>
  `<Item>${Object.entries(fields)
    .map(([name, value]) => `<rasd:${name}>${value}</rasd:${name}>`)
    .join('')}</Item>`

const descriptor = ({
  controller = 'lsilogic',
  controllerType = '6',
  card = 'VmxNet3',
  config = '',
  drive = '',
} = {}) =>
  `<?xml version="1.0" encoding="UTF-8"?>
<!-- made by hand -->
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">
  <References><File ovf:href="disk-1.vmdk" ovf:id="file1" ovf:size="1024"/></References>
  <DiskSection><Info>Disks</Info>
    <Disk ovf:capacity="20480" ovf:capacityAllocationUnits="byte * 2^20" ovf:diskId="vmdisk1" ovf:fileRef="file1"/>
  </DiskSection>
  <VirtualSystem ovf:id="box"><Info>x</Info><Name>Licence &amp; Server</Name>
    <VirtualHardwareSection><Info>hw</Info>
      ${item({ InstanceID: '1', ResourceType: '3', VirtualQuantity: '2' })}
      ${item({ AllocationUnits: 'byte * 2^20', InstanceID: '2', ResourceType: '4', VirtualQuantity: '2048' })}
      ${item({ InstanceID: '3', ResourceSubType: controller, ResourceType: controllerType })}
      ${drive || item({ AddressOnParent: '0', HostResource: 'ovf:/disk/vmdisk1', InstanceID: '4', Parent: '3', ResourceType: '17' })}
      ${card && item({ Connection: 'nat', InstanceID: '5', ResourceSubType: card, ResourceType: '10' })}
      ${config}
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>`

describe('a descriptor', () => {
  test('gives the machine it describes', () => {
    expect(parseDescriptor(descriptor())).toEqual({
      name: 'Licence & Server',
      cpus: 2,
      memory: 2048 * 2 ** 20,
      firmware: 'bios',
      disk: 'disk-1.vmdk',
      capacity: 20480 * 2 ** 20,
      moreDisks: [],
      controller: 'lsi',
      nic: 'vmxnet3',
      nics: 1,
      remarks: [expect.stringMatching(/lsilogic: booted as LSI 53C895A/)],
    })
  })

  test('of our own packing is understood', () => {
    const text = packedDescriptor({
      name: 'license-server',
      version: '1.4.0',
      product: { title: 'A <Licence> & Server', vendor: undefined, url: undefined },
      annotation: undefined,
      eula: undefined,
      properties: [],
      system: 'debian',
      cpus: 2,
      memory: 2 ** 31,
      nic: 'VmxNet3',
      networks: [
        { name: 'Inside', kind: 'VmxNet3', description: 'a card' },
        { name: 'Outside', kind: 'VmxNet3', description: 'a card' },
      ],
      firmware: 'bios',
      disk: { file: 'license-server-1.4.0-disk1.vmdk', bytes: 1, capacity: 20 * 2 ** 30, populated: 1 },
      dataDisks: [{ file: 'license-server-1.4.0-disk2.vmdk', bytes: 1, capacity: 2 ** 30, populated: 1 }],
    })
    expect(parseDescriptor(text)).toMatchObject({
      name: 'license-server',
      cpus: 2,
      memory: 2 ** 31,
      firmware: 'bios',
      disk: 'license-server-1.4.0-disk1.vmdk',
      capacity: 20 * 2 ** 30,
      moreDisks: [{ file: 'license-server-1.4.0-disk2.vmdk', capacity: 2 ** 30 }],
      controller: 'lsi',
      nic: 'vmxnet3',
      nics: 2,
    })
  })

  test('a further disk may be empty, the first one may not', () => {
    const empty = '<Disk ovf:capacity="64" ovf:capacityAllocationUnits="byte * 2^20" ovf:diskId="data"/>'
    const drive = (id: string, disk: string) =>
      item({ HostResource: `ovf:/disk/${disk}`, InstanceID: id, Parent: '3', ResourceType: '17' })
    const of = (...drives: string[]) =>
      parseDescriptor(descriptor({ drive: drives.join('') }).replace('</DiskSection>', `${empty}$&`))
    expect(of(drive('4', 'vmdisk1'), drive('9', 'data'))).toMatchObject({
      disk: 'disk-1.vmdk',
      moreDisks: [{ capacity: 64 * 2 ** 20 }],
    })
    expect(of(drive('4', 'data'), drive('9', 'vmdisk1'))).toEqual({
      faults: ['its first disk is empty: nothing to boot from'],
    })
  })

  test.each([
    ['VirtualSCSI', '6', 'pvscsi'],
    ['AHCI', '20', 'ahci'],
    ['vmware.nvme.controller', '20', 'nvme'],
  ])('controller %s is %s', (controller, controllerType, expected) => {
    expect(parseDescriptor(descriptor({ controller, controllerType }))).toMatchObject({
      controller: expected,
      remarks: [],
    })
  })

  test('what has no equal is replaced, and that is said', () => {
    expect(parseDescriptor(descriptor({ controller: 'strange', card: 'Sriov' }))).toMatchObject({
      controller: 'ahci',
      nic: 'e1000',
      remarks: [expect.stringContaining('strange'), expect.stringContaining('Sriov')],
    })
  })

  test('its firmware is read from the vmw:Config', () => {
    const config = '<vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>'
    expect(parseDescriptor(descriptor({ config }))).toMatchObject({
      firmware: 'uefi',
      controller: 'lsi',
    })
  })

  test('all faults are named together', () => {
    const broken = descriptor({
      drive: item({ HostResource: 'ovf:/disk/other', InstanceID: '4', ResourceType: '17' }),
    }).replace('<rasd:VirtualQuantity>2048', '<rasd:VirtualQuantity>lots')
    const parsed = parseDescriptor(broken)
    expect(parsed).toEqual({ faults: [expect.stringContaining('memory'), expect.stringContaining('other')] })
  })

  test.each([
    ['byte * 2^20', 2 ** 20],
    ['byte*1024', 1024],
    ['MegaBytes', 2 ** 20],
    ['byte', 1],
    ['hertz * 10^6', undefined],
  ])('unit %s', (unit, bytes) => {
    expect(bytesOfUnit(unit)).toBe(bytes)
  })
})

describe('XML', () => {
  test('entities, CDATA and quotes', () => {
    expect(parseXml(`<a:b c='"' d="&#65;&#x42;&lt;"> x <![CDATA[<y>]]> </a:b>`)).toEqual({
      name: 'b',
      attributes: { c: '"', d: 'AB<' },
      children: [],
      text: 'x <y>',
    })
  })

  test.each(['<a>', '<a></b>', '<a/><b/>', '<!DOCTYPE a><a/>', 'text <a', ''])('%j is refused', (text) => {
    expect(() => parseXml(text)).toThrow(SyntaxError)
  })
})

describe('a manifest', () => {
  test('is read as importers read it', () => {
    expect(parseManifest('SHA256(a.ovf)= 00FF\nSHA256(b.vmdk)= ab\r\n')).toEqual({
      entries: [
        { algorithm: 'sha256', name: 'a.ovf', digest: '00ff' },
        { algorithm: 'sha256', name: 'b.vmdk', digest: 'ab' },
      ],
      strange: [],
    })
  })

  test('forms that VMware refuses are refused', () => {
    expect(parseManifest('SHA256 (a.ovf) = 00\nSHA2-256(a)= 00\n').strange).toHaveLength(2)
  })
})
