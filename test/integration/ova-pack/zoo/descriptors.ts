import { swap, withOvf, type Zoo } from './keeper.ts'

export const descriptors: Zoo = {
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
}
