import { END, item, swap, withOvf, type Zoo } from './keeper.ts'

export const hardware: Zoo = {
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
  'a sixteenth disk on one SCSI controller': [
    'item-address',
    swap('<rasd:AddressOnParent>0<', '<rasd:AddressOnParent>16<'),
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
}
