import { describe, expect, test } from '@jest/globals'
import { type Description, descriptor } from '../../../actions/lib/ovf/descriptor.ts'
import { escapeXml } from '../../../actions/lib/ovf/xml.ts'

const plain: Description = {
  name: 'license-server',
  version: '1.4.0',
  product: { title: 'License Server', vendor: 'Example Ltd', url: undefined },
  annotation: undefined,
  eula: undefined,
  properties: [],
  system: 'debian',
  cpus: 2,
  memory: 2 * 2 ** 30,
  nic: 'VmxNet3',
  firmware: 'bios',
  disk: { file: 'license-server-disk1.vmdk', bytes: 12345, capacity: 20 * 2 ** 30, populated: 65536 },
}

describe('descriptor', () => {
  test('capacity and memory are in MiB, the only unit every importer reads', () => {
    const text = descriptor(plain)
    expect(text).toContain('ovf:capacity="20480" ovf:capacityAllocationUnits="byte * 2^20"')
    expect(text).toMatch(/<rasd:AllocationUnits>byte \* 2\^20<[\s\S]*?<rasd:VirtualQuantity>2048</)
  })

  test("an item's children are in alphabetical order", () => {
    const items = [...descriptor(plain).matchAll(/<Item>([\s\S]*?)<\/Item>/g)]
    expect(items.length).toBe(5)
    for (const [, item] of items) {
      const names = [...item!.matchAll(/<(rasd:\w+)>/g)].map((match) => match[1])
      expect(names).toEqual([...names].sort())
    }
  })

  test('every section begins with its Info', () => {
    const text = descriptor({ ...plain, annotation: 'Read me', eula: 'Be nice' })
    const sections = [...text.matchAll(/<(\w+Section)\b[^>]*>\s*<(\w+)/g)]
    expect(sections.map((match) => match[1])).toEqual([
      'DiskSection',
      'NetworkSection',
      'ProductSection',
      'AnnotationSection',
      'EulaSection',
      'OperatingSystemSection',
      'VirtualHardwareSection',
    ])
    expect(new Set(sections.map((match) => match[2]))).toEqual(new Set(['Info']))
  })

  test('properties come with their defaults, a transport and a CD drive; without any there is neither', () => {
    const properties = [
      { key: 'address', type: 'string', label: 'Address', description: 'Of the server', default: 'dhcp' },
    ] as const
    const text = descriptor({ ...plain, properties })
    expect(text).toContain('ovf:transport="iso"')
    const carried = descriptor({ ...plain, properties, guestInfo: true })
    expect(carried).toContain('ovf:transport="com.vmware.guestInfo iso"')
    expect(text).toContain('ovf:userConfigurable="true" ovf:value="dhcp"')
    expect(text).toMatch(/<rasd:Parent>6<\/rasd:Parent>\s*<rasd:ResourceType>15</)
    expect(descriptor(plain)).not.toMatch(/ovf:transport|ResourceType>15</)
  })

  test('several networks, disks, languages and a picture, each where importers look for it', () => {
    const data = { file: 'data.vmdk', bytes: 5, capacity: 2 ** 30, populated: 0 }
    const text = descriptor({
      ...plain,
      networks: [
        { name: 'Front', kind: 'VmxNet3', description: 'Customers' },
        { name: 'Back', kind: 'E1000', description: 'Databases' },
        { name: 'Back', kind: 'E1000', description: 'Databases' },
      ],
      dataDisks: Array.from({ length: 8 }, () => data),
      controller: 'pvscsi',
      hardwareVersion: 17,
      eula: { en: 'Be nice.', 'de-CH': 'Sei nett.' },
      icons: [{ file: 'logo.png', bytes: 9, mimeType: 'image/png', width: 64, height: 32 }],
    })
    expect([...text.matchAll(/<Network ovf:name="(\w+)"/g)].map((match) => match[1])).toEqual([
      'Front',
      'Back',
    ])
    expect([...text.matchAll(/<rasd:Connection>(\w+)</g)].map((match) => match[1])).toEqual([
      'Front',
      'Back',
      'Back',
    ])
    expect(text).toContain('<rasd:ResourceSubType>VirtualSCSI<')
    expect(text).toContain('>vmx-17<')
    // SCSI address 7 is the controller's own.
    const addresses = [...text.matchAll(/<rasd:AddressOnParent>(\d+)<[^I]*<rasd:ElementName>Hard disk/g)]
    expect(addresses.map((match) => match[1])).toEqual(['0', '1', '2', '3', '4', '5', '6', '8', '9'])
    expect(text).toContain('<License ovf:msgid="eula">Be nice.</License>')
    expect(text).toMatch(/<Strings xml:lang="de-CH">\s*<Msg ovf:msgid="eula">Sei nett.<\/Msg>/)
    expect(text).toContain(
      '<Icon ovf:fileRef="icon1" ovf:height="32" ovf:mimeType="image/png" ovf:width="64"/>',
    )
  })

  test('no two items have one number, with as many disks and cards as there is room for', () => {
    const data = { file: 'data.vmdk', bytes: 5, capacity: 2 ** 30, populated: 0 }
    const network = { name: 'Front', kind: 'VmxNet3', description: 'Customers' } as const
    const text = descriptor({
      ...plain,
      controller: 'ahci',
      dataDisks: Array.from({ length: 29 }, () => data),
      networks: Array.from({ length: 10 }, () => network),
    })
    const numbers = [...text.matchAll(/<rasd:InstanceID>(\d+)</g)].map(([, number]) => number)
    expect(numbers.length).toBeGreaterThan(42)
    expect(new Set(numbers).size).toBe(numbers.length)
  })

  test('properties of every type say what may be given', () => {
    const common = { label: 'x', description: 'x', default: 'a' }
    const text = descriptor({
      ...plain,
      properties: [
        { ...common, key: 'size', type: 'choice', choices: ['a', 'b'], category: 'Sizes' },
        { ...common, key: 'secret', type: 'password', least: 8, most: 64 },
        { ...common, key: 'host', type: 'ip' },
      ],
    })
    expect(text).toMatch(/<Category>Sizes<\/Category>\s*<Property ovf:key="size"/)
    expect(text).toContain('ovf:qualifiers="ValueMap{&quot;a&quot;, &quot;b&quot;}" ovf:type="string"')
    expect(text).toContain(
      'ovf:password="true" ovf:qualifiers="MinLen(8) MaxLen(64)" ovf:type="string" ovf:userConfigurable="true" ovf:value=""',
    )
  })

  test('what the user wrote cannot break out of its element', () => {
    const title = `"A" & <B> 'C'\u000c`
    const text = descriptor({ ...plain, product: { ...plain.product, title } })
    expect(text).toContain('<Product>&quot;A&quot; &amp; &lt;B&gt; &apos;C&apos;</Product>')
  })
})

test('characters that XML 1.0 cannot write are left out, all others stay', () => {
  expect(escapeXml('a\u0000b\u000bc\ufffe\ud800d')).toBe('abcd')
  expect(escapeXml('ä €\t\u{1f600}\r\nz')).toBe('ä €\t\u{1f600}\nz')
})

describe('the system, in VMware’s words, is one that a host for that machine version knows', () => {
  test.each([
    ['debian', '12', 13, 'other3xLinux64Guest'],
    ['debian', '12', 20, 'debian12_64Guest'],
    ['debian', '13', 21, 'other6xLinux64Guest'],
    ['debian', undefined, 13, 'other3xLinux64Guest'],
    ['debian', '10', 13, 'debian10_64Guest'],
    ['ubuntu', '24.04', 13, 'ubuntu64Guest'],
    ['rhel', '9.4', 18, 'rhel9_64Guest'],
    ['rhel', '9.4', 14, 'other4xLinux64Guest'],
    ['centos', '9', 18, 'centos9_64Guest'],
    ['rocky', '9.4', 13, 'other3xLinux64Guest'],
    ['rocky', '9.4', 20, 'rockylinux_64Guest'],
    ['almalinux', '10.0', 20, 'almalinux_64Guest'],
    ['fedora', '43', 13, 'fedora64Guest'],
    ['linux', undefined, 18, 'other5xLinux64Guest'],
  ] as const)('%s %s on vmx-%i: %s', (system, version, hardwareVersion, expected) => {
    const more = { system, hardwareVersion, ...(version && { systemVersion: version }) }
    expect(descriptor({ ...plain, ...more })).toContain(`vmw:osType="${expected}"`)
  })
})
