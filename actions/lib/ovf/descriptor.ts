import { type Controller, type HardwareItem, hardwareItems, itemElement, type NicKind } from './hardware.ts'
import { type GuestSystem, operatingSystem } from './operating-system.ts'
import { type Property, propertyElements } from './properties.ts'
import { type Element, element, xmlDocument } from './xml.ts'

/** What an importer is told about the appliance. Sizes in bytes. */
export interface Description {
  /** The machine's name, e.g. license-server. */
  name: string
  version: string
  product: { title: string; vendor: string | undefined; url: string | undefined }
  /** Shown by the importer, e.g. what to do after the first boot. */
  annotation: string | undefined
  /** Licence text the customer accepts on import; in several languages by their tags, the first for all others. */
  eula: string | Readonly<Record<string, string>> | undefined
  /** Settings the customer may give on import; the appliance works without any. */
  properties: readonly Property[]
  system: GuestSystem
  /** `VERSION_ID` of os-release(5). */
  systemVersion?: string
  /** Whether VMware's tools in the guest take the properties from their host, too. */
  guestInfo?: boolean
  cpus: number
  /** A multiple of 1 MiB. */
  memory: number
  /** The one card, where {@link networks} names none. */
  nic: NicKind
  /** A card each, in this order. */
  networks?: readonly Network[]
  firmware: 'bios' | 'efi'
  /** Default lsilogic. */
  controller?: Controller
  /** N of vmx-N; default 13. */
  hardwareVersion?: number
  disk: DescribedDisk
  /** Further disks, plugged in behind it. */
  dataDisks?: readonly DescribedDisk[]
  /** Pictures of the product that the archive holds. */
  icons?: readonly DescribedIcon[]
}

export interface Network {
  name: string
  kind: NicKind
  description: string
}

export interface DescribedIcon {
  file: string
  bytes: number
  mimeType: string
  /** Pixels. */
  width: number
  height: number
}

export interface DescribedDisk {
  /** File name of the VMDK. */
  file: string
  /** Size of that file. */
  bytes: number
  /** What the guest sees; a multiple of 1 MiB. */
  capacity: number
  /** How much of it is not empty. */
  populated: number
}

const MIB = 2 ** 20
const diskId = (index: number) => `vmdisk${index + 1}`
const fileId = (index: number) => `file${index + 1}`
const EULA = 'eula'

/**
 * The OVF descriptor, for VMware, VirtualBox, virt-v2v and Proxmox alike (DESIGN §8).
 *
 * @see DSP0243, Open Virtualization Format 1.1.0; DSP8023, its schema
 */
export function descriptor(description: Description): string {
  const { icons = [] } = description
  const disks = disksOf(description)
  return xmlDocument(
    element(
      'Envelope',
      {
        xmlns: 'http://schemas.dmtf.org/ovf/envelope/1',
        'xmlns:ovf': 'http://schemas.dmtf.org/ovf/envelope/1',
        'xmlns:rasd': 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData',
        'xmlns:vssd': 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData',
        'xmlns:vmw': 'http://www.vmware.com/schema/ovf',
      },
      element(
        'References',
        {},
        ...icons.map(({ file, bytes }, index) => reference(iconId(index), file, bytes)),
        ...disks.map(({ file, bytes }, index) => reference(fileId(index), file, bytes)),
      ),
      diskSection(disks),
      networkSection(networksOf(description)),
      virtualSystem(description),
      ...otherLanguages(description.eula),
    ),
  )
}

function disksOf({ disk, dataDisks = [] }: Description): DescribedDisk[] {
  return [disk, ...dataDisks]
}

function networksOf({ networks, nic }: Description): readonly Network[] {
  if (networks && networks.length > 0) return networks
  return [{ name: 'VM Network', kind: nic, description: 'The network from which the appliance is reached' }]
}

const iconId = (index: number) => `icon${index + 1}`

function reference(id: string, file: string, bytes: number): Element {
  return element('File', { 'ovf:id': id, 'ovf:href': file, 'ovf:size': bytes })
}

/** Capacity in MiB: `byte * 2^20` is the only form that every importer reads. */
function diskSection(disks: readonly DescribedDisk[]): Element {
  return element(
    'DiskSection',
    {},
    element('Info', disks.length === 1 ? 'The disk of this appliance' : 'The disks of this appliance'),
    ...disks.map((disk, index) =>
      element('Disk', {
        'ovf:capacity': disk.capacity / MIB,
        'ovf:capacityAllocationUnits': 'byte * 2^20',
        'ovf:diskId': diskId(index),
        'ovf:fileRef': fileId(index),
        'ovf:format': 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized',
        'ovf:populatedSize': disk.populated,
      }),
    ),
  )
}

function networkSection(networks: readonly Network[]): Element {
  const named = networks.filter(({ name }, index) => networks.findIndex((one) => one.name === name) === index)
  return element(
    'NetworkSection',
    {},
    element('Info', 'The networks of this appliance'),
    ...named.map(({ name, description }) =>
      element('Network', { 'ovf:name': name }, element('Description', description)),
    ),
  )
}

/** The licence in every language but the first, which stands in the section itself (DSP0243 1.1.0, clause 10). */
function otherLanguages(eula: Description['eula']): Element[] {
  if (eula === undefined || typeof eula === 'string') return []
  return Object.entries(eula).map(([language, text]) =>
    element('Strings', { 'xml:lang': language }, element('Msg', { 'ovf:msgid': EULA }, text)),
  )
}

function eulaSection(eula: NonNullable<Description['eula']>): Element {
  const info = element('Info', 'The licence agreement')
  if (typeof eula === 'string') return element('EulaSection', {}, info, element('License', eula))
  const first = Object.values(eula)[0] ?? ''
  return element('EulaSection', {}, info, element('License', { 'ovf:msgid': EULA }, first))
}

function virtualSystem(description: Description): Element {
  const { name, annotation, eula, system } = description
  const os = operatingSystem(system, description.systemVersion, vmx(description))
  return element(
    'VirtualSystem',
    { 'ovf:id': name },
    element('Info', 'A virtual machine'),
    element('Name', name),
    productSection(description),
    annotation === undefined
      ? undefined
      : element(
          'AnnotationSection',
          {},
          element('Info', 'About this appliance'),
          element('Annotation', annotation),
        ),
    eula === undefined ? undefined : eulaSection(eula),
    element(
      'OperatingSystemSection',
      { 'ovf:id': os.id, 'vmw:osType': os.osType },
      element('Info', 'The operating system'),
      element('Description', os.name),
    ),
    hardwareSection(description),
  )
}

function productSection({ product, version, properties, icons = [] }: Description): Element {
  return element(
    'ProductSection',
    {},
    element('Info', 'The product in this appliance'),
    element('Product', product.title),
    product.vendor === undefined ? undefined : element('Vendor', product.vendor),
    element('Version', version),
    product.url === undefined ? undefined : element('ProductUrl', product.url),
    ...icons.map(({ width, height, mimeType }, index) =>
      element('Icon', {
        'ovf:fileRef': iconId(index),
        'ovf:height': height,
        'ovf:mimeType': mimeType,
        'ovf:width': width,
      }),
    ),
    ...propertyElements(properties),
  )
}

function vmx({ hardwareVersion = 13 }: Description): number {
  return hardwareVersion
}

/** How properties get into the guest, the better way first. */
function transport({ guestInfo }: Description): string {
  return guestInfo ? 'com.vmware.guestInfo iso' : 'iso'
}

function hardwareSection(description: Description): Element {
  const items: HardwareItem[] = hardwareItems({
    cpus: description.cpus,
    memory: description.memory,
    networks: networksOf(description),
    controller: description.controller ?? 'lsilogic',
    diskIds: disksOf(description).map((_, index) => diskId(index)),
    cdrom: description.properties.length > 0,
  })
  return element(
    'VirtualHardwareSection',
    description.properties.length > 0 ? { 'ovf:transport': transport(description) } : {},
    element('Info', 'Virtual hardware'),
    element(
      'System',
      {},
      element('vssd:ElementName', 'Virtual Hardware Family'),
      element('vssd:InstanceID', '0'),
      element('vssd:VirtualSystemIdentifier', description.name),
      element('vssd:VirtualSystemType', `vmx-${vmx(description)}`),
    ),
    ...items.map(itemElement),
    element('vmw:Config', {
      'ovf:required': 'false',
      'vmw:key': 'firmware',
      'vmw:value': description.firmware,
    }),
  )
}
