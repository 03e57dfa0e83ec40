import { type HardwareItem, hardwareItems, itemElement } from './hardware.ts'
import { type Element, element, xmlDocument } from './xml.ts'

/** What an importer is told about the appliance. Sizes in bytes. */
export interface Description {
  /** The machine's name, e.g. license-server. */
  name: string
  version: string
  product: { title: string; vendor: string | undefined; url: string | undefined }
  /** Shown by the importer, e.g. what to do after the first boot. */
  annotation: string | undefined
  /** Licence text the customer accepts on import. */
  eula: string | undefined
  /** Settings the customer may give on import; the appliance works without any. */
  properties: readonly Property[]
  system: GuestSystem
  cpus: number
  /** A multiple of 1 MiB. */
  memory: number
  nic: 'VmxNet3' | 'E1000'
  firmware: 'bios' | 'efi'
  disk: DescribedDisk
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

export interface Property {
  key: string
  type: 'string' | 'boolean' | 'uint16' | 'uint32'
  label: string
  description: string
  /** Has to work, since most importers show no properties at all. */
  default: string
}

/** `ID` of os-release(5) as far as importers tell them apart. */
export type GuestSystem = 'debian' | 'ubuntu' | 'rhel' | 'centos' | 'linux'

/** CIM_OperatingSystem.OSType (DSP0243 1.1.0, section 9.8). */
const operatingSystems: Record<GuestSystem, { id: number; name: string }> = {
  debian: { id: 96, name: 'Debian GNU/Linux (64-bit)' },
  ubuntu: { id: 94, name: 'Ubuntu Linux (64-bit)' },
  rhel: { id: 80, name: 'Red Hat Enterprise Linux (64-bit)' },
  centos: { id: 107, name: 'CentOS (64-bit)' },
  linux: { id: 101, name: 'Linux (64-bit)' },
}

const MIB = 2 ** 20
const DISK_ID = 'vmdisk1'
const FILE_ID = 'file1'
const NETWORK = 'VM Network'

/**
 * The OVF descriptor, for VMware, VirtualBox, virt-v2v and Proxmox alike (DESIGN §8).
 *
 * @see DSP0243, Open Virtualization Format 1.1.0; DSP8023, its schema
 */
export function descriptor(description: Description): string {
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
        element('File', {
          'ovf:id': FILE_ID,
          'ovf:href': description.disk.file,
          'ovf:size': description.disk.bytes,
        }),
      ),
      diskSection(description.disk),
      element(
        'NetworkSection',
        {},
        element('Info', 'The networks of this appliance'),
        element(
          'Network',
          { 'ovf:name': NETWORK },
          element('Description', 'The network from which the appliance is reached'),
        ),
      ),
      virtualSystem(description),
    ),
  )
}

/** Capacity in MiB: `byte * 2^20` is the only form that every importer reads. */
function diskSection(disk: DescribedDisk): Element {
  return element(
    'DiskSection',
    {},
    element('Info', 'The disk of this appliance'),
    element('Disk', {
      'ovf:capacity': disk.capacity / MIB,
      'ovf:capacityAllocationUnits': 'byte * 2^20',
      'ovf:diskId': DISK_ID,
      'ovf:fileRef': FILE_ID,
      'ovf:format': 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized',
      'ovf:populatedSize': disk.populated,
    }),
  )
}

function virtualSystem(description: Description): Element {
  const { name, annotation, eula, system } = description
  const operatingSystem = operatingSystems[system]
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
    eula === undefined
      ? undefined
      : element('EulaSection', {}, element('Info', 'The licence agreement'), element('License', eula)),
    element(
      'OperatingSystemSection',
      { 'ovf:id': operatingSystem.id, 'vmw:osType': 'other3xLinux64Guest' },
      element('Info', 'The operating system'),
      element('Description', operatingSystem.name),
    ),
    hardwareSection(description),
  )
}

function productSection({ product, version, properties }: Description): Element {
  return element(
    'ProductSection',
    {},
    element('Info', 'The product in this appliance'),
    element('Product', product.title),
    product.vendor === undefined ? undefined : element('Vendor', product.vendor),
    element('Version', version),
    product.url === undefined ? undefined : element('ProductUrl', product.url),
    ...properties.map((property) =>
      element(
        'Property',
        {
          'ovf:key': property.key,
          'ovf:type': property.type,
          'ovf:userConfigurable': 'true',
          'ovf:value': property.default,
        },
        element('Label', property.label),
        element('Description', property.description),
      ),
    ),
  )
}

function hardwareSection(description: Description): Element {
  const items: HardwareItem[] = hardwareItems({
    cpus: description.cpus,
    memory: description.memory,
    nic: description.nic,
    network: NETWORK,
    diskId: DISK_ID,
    cdrom: description.properties.length > 0,
  })
  return element(
    'VirtualHardwareSection',
    description.properties.length > 0 ? { 'ovf:transport': 'iso' } : {},
    element('Info', 'Virtual hardware'),
    element(
      'System',
      {},
      element('vssd:ElementName', 'Virtual Hardware Family'),
      element('vssd:InstanceID', '0'),
      element('vssd:VirtualSystemIdentifier', description.name),
      element('vssd:VirtualSystemType', 'vmx-13'),
    ),
    ...items.map(itemElement),
    element('vmw:Config', {
      'ovf:required': 'false',
      'vmw:key': 'firmware',
      'vmw:value': description.firmware,
    }),
  )
}
