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
    expect(text).toContain('ovf:userConfigurable="true" ovf:value="dhcp"')
    expect(text).toMatch(/<rasd:Parent>6<\/rasd:Parent>\s*<rasd:ResourceType>15</)
    expect(descriptor(plain)).not.toMatch(/ovf:transport|ResourceType>15</)
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
