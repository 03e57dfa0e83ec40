import { childOf, childrenOf, type OvfNode, textOf } from '../../lib/ovf/tree.ts'
import { type DescribedDisk, unitBytes } from './references.ts'
import type { Find, Rules } from './rule.ts'

export const hardwareRules = {
  'hardware-family': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'A hardware family that VMware does not know: "Unsupported hardware family".',
    fix: 'VirtualSystemType vmx-13 (or another vmx-N).',
  },
  'hardware-version': {
    severity: 'warning',
    concerns: ['vmware'],
    what: 'A hardware version that only the newest VMware products know.',
    fix: 'vmx-13 (ESXi 6.5) unless the guest needs more.',
  },
  'hardware-lax': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'vmx-99: made by ovftool --lax, refused everywhere.',
    fix: 'vmx-13.',
  },
  'cpu-missing': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'No item for processors (ResourceType 3), or not a whole number of them.',
    fix: 'ResourceType 3 with VirtualQuantity.',
  },
  'memory-missing': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'No item for memory (ResourceType 4).',
    fix: 'ResourceType 4 with VirtualQuantity and AllocationUnits.',
  },
  'memory-unit': {
    severity: 'error',
    concerns: ['virtualbox', 'virt-v2v', 'proxmox'],
    what: 'Memory not counted in MiB: VirtualBox refuses other units, virt-v2v and Proxmox take the number for MiB.',
    fix: 'AllocationUnits "byte * 2^20".',
  },
  'item-instance': {
    severity: 'error',
    concerns: ['ovf', 'vmware'],
    what: 'Two items with one InstanceID, or an item without.',
    fix: 'Number the items.',
  },
  'item-name': {
    severity: 'error',
    concerns: ['ovf', 'vmware'],
    what: 'An item without ElementName.',
    fix: 'Give every item one.',
  },
  'item-unknown': {
    severity: 'error',
    concerns: ['virtualbox'],
    what: 'Video, VMCI or other items that are required: VirtualBox: "Unknown resource type … in hardware item".',
    fix: 'Leave them out, or write ovf:required="false".',
  },
  'disk-none': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'No hard disk among the items (ResourceType 17).',
    fix: 'An item for every disk.',
  },
  'disk-resource': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'A hard disk’s HostResource names no disk of the DiskSection.',
    fix: 'ovf:/disk/ID with the diskId.',
  },
  'disk-unused': {
    severity: 'warning',
    concerns: ['everyone'],
    what: 'A disk of the DiskSection is in no item: nobody plugs it in.',
    fix: 'An item with HostResource ovf:/disk/ID.',
  },
  'item-parent': {
    severity: 'error',
    concerns: ['virtualbox', 'proxmox'],
    what: 'A drive without Parent, or whose Parent is no controller: VirtualBox refuses it.',
    fix: 'Parent is the InstanceID of its controller.',
  },
  'item-address': {
    severity: 'warning',
    concerns: ['proxmox', 'vmware'],
    what: 'A drive without AddressOnParent, by which Proxmox names disks; two with the same; or one that its controller lacks.',
    fix: 'AddressOnParent 0, 1, … (IDE up to 1, SCSI 15, SATA 29).',
  },
  'scsi-address-7': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'A disk at SCSI address 7, which is the controller’s own.',
    fix: 'Use 0 to 6 and 8 to 15.',
  },
  'controller-ide-subtype': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'An IDE controller with a ResourceSubType: ovftool: VALUE_ILLEGAL (Graylog2/graylog2-images#211).',
    fix: 'Leave it out.',
  },
  'controller-pvscsi': {
    severity: 'warning',
    concerns: ['vmware'],
    what: 'VirtualSCSI (pvscsi): Workstation and Fusion refuse to import it ("Invalid target disk adapter type", photon#690).',
    fix: 'lsilogic.',
  },
  'controller-unknown': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'A disk controller that VMware does not have.',
    fix: 'lsilogic, lsilogicsas, VirtualSCSI, vmware.sata.ahci or vmware.nvme.controller.',
  },
  'controller-virt-v2v': {
    severity: 'warning',
    concerns: ['virt-v2v', 'proxmox'],
    what: 'A controller type other than IDE, SCSI and SATA, the only ones that virt-v2v and Proxmox map.',
    fix: 'ResourceType 5, 6 or 20.',
  },
  'nic-kind': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'A network card that VMware does not have.',
    fix: 'VmxNet3 or E1000.',
  },
  'nic-none': {
    severity: 'note',
    concerns: ['everyone'],
    what: 'No network card.',
    fix: 'An item of ResourceType 10, unless the appliance is meant to have none.',
  },
  'nic-network': {
    severity: 'error',
    concerns: ['vmware', 'ovf'],
    what: 'A network card is connected to a network that the NetworkSection does not name.',
    fix: 'Connection is the ovf:name of a Network.',
  },
  'nic-mac': {
    severity: 'warning',
    concerns: ['everyone'],
    what: 'A fixed MAC address: two installations in one network collide.',
    fix: 'Leave Address out, the hypervisor gives one.',
  },
} as const satisfies Rules

const TYPE = {
  cpu: '3',
  memory: '4',
  ide: '5',
  scsi: '6',
  nic: '10',
  floppy: '14',
  cd: '15',
  disk: '17',
  other: '20',
}
/** The last address of a controller. */
const LAST: Record<string, number> = { [TYPE.ide]: 1, [TYPE.scsi]: 15, [TYPE.other]: 29 }
/** What VirtualBox knows besides (OVFReader): USB, sound, DVD, floppy, SATA. */
const knownTypes = ['3', '4', '5', '6', '10', '14', '15', '17', '20', '21', '23', '35', '37']
const controllers = [
  'lsilogic',
  'lsilogicsas',
  'buslogic',
  'virtualscsi',
  'ahci',
  'vmware.sata.ahci',
  'vmware.nvme.controller',
  'piix3',
  'piix4',
  '',
]
const nics = ['vmxnet3', 'vmxnet2', 'vmxnet', 'e1000', 'e1000e', 'pcnet32', 'vmxnet3vrdma', 'sriov', '']

/** The items of the virtual hardware. */
export function lintHardware(
  system: OvfNode,
  envelope: OvfNode,
  file: string,
  disks: readonly DescribedDisk[],
  find: Find<typeof hardwareRules>,
): void {
  const hardware = childOf(system, 'VirtualHardwareSection')
  if (!hardware) return
  const place = (node: OvfNode) => `${file}:${node.line}`
  lintFamily(hardware, place, find)
  const items = childrenOf(hardware, 'Item')
  const ofType = (...types: string[]) => items.filter((item) => types.includes(textOf(item, 'ResourceType')))
  const required = (item: OvfNode) => item.attributes.required !== 'false'

  const [cpu] = ofType(TYPE.cpu)
  const cpus = Number(textOf(cpu, 'VirtualQuantity'))
  if (!cpu || !Number.isInteger(cpus) || cpus < 1)
    find('cpu-missing', place(cpu ?? hardware), textOf(cpu, 'VirtualQuantity') || 'none')
  const [memory] = ofType(TYPE.memory)
  if (!memory || !(Number(textOf(memory, 'VirtualQuantity')) > 0))
    find('memory-missing', place(memory ?? hardware), textOf(memory, 'VirtualQuantity') || 'none')
  else if (unitBytes(textOf(memory, 'AllocationUnits') || 'byte * 2^20') !== 2 ** 20)
    find('memory-unit', place(memory), textOf(memory, 'AllocationUnits'))

  const seen = new Set<string>()
  for (const item of items) {
    const id = textOf(item, 'InstanceID')
    if (id === '' || seen.has(id)) find('item-instance', place(item), id || 'no InstanceID')
    seen.add(id)
    if (textOf(item, 'ElementName') === '') find('item-name', place(item), `InstanceID ${id}`)
    const type = textOf(item, 'ResourceType')
    if (!knownTypes.includes(type) && required(item))
      find('item-unknown', place(item), `ResourceType ${type || '(none)'}`)
  }
  lintDrives(items, disks, place, find)
  for (const controller of ofType(TYPE.ide, TYPE.scsi, TYPE.other)) {
    const kind = textOf(controller, 'ResourceSubType')
    const type = textOf(controller, 'ResourceType')
    if (type === TYPE.ide && kind !== '') find('controller-ide-subtype', place(controller), kind)
    else if (kind.toLowerCase() === 'virtualscsi') find('controller-pvscsi', place(controller), kind)
    else if (kind.toLowerCase().includes('nvme')) find('controller-virt-v2v', place(controller), kind)
    if (!controllers.includes(kind.toLowerCase())) find('controller-unknown', place(controller), kind)
  }
  lintCards(ofType(TYPE.nic), envelope, hardware, place, find)
}

function lintFamily(
  hardware: OvfNode,
  place: (node: OvfNode) => string,
  find: Find<typeof hardwareRules>,
): void {
  const node = childOf(hardware, 'System')
  const families = textOf(node, 'VirtualSystemType')
    .split(/[\s,]+/)
    .filter(Boolean)
  const versions = families.flatMap((family) => /^vmx-(\d{1,3})$/.exec(family)?.[1] ?? []).map(Number)
  const at = place(node ?? hardware)
  if (versions.length === 0) find('hardware-family', at, families.join(' ') || '(none)')
  else if (versions.includes(99)) find('hardware-lax', at, 'vmx-99')
  else if (Math.min(...versions) > 19) find('hardware-version', at, families.join(' '))
}

function lintDrives(
  items: readonly OvfNode[],
  disks: readonly DescribedDisk[],
  place: (node: OvfNode) => string,
  find: Find<typeof hardwareRules>,
): void {
  const typeOf = (item: OvfNode) => textOf(item, 'ResourceType')
  const drives = items.filter((item) => typeOf(item) === TYPE.disk)
  if (drives.length === 0)
    find('disk-none', place(items[0] ?? ({ line: 1 } as OvfNode)), 'no item of ResourceType 17')
  const used = drives.map((drive) => textOf(drive, 'HostResource').replace(/^(ovf:)?\/disk\//, ''))
  for (const [index, drive] of drives.entries())
    if (!disks.some(({ id }) => id === used[index]))
      find('disk-resource', place(drive), textOf(drive, 'HostResource') || '(none)')
  for (const { id, place: at } of disks) if (!used.includes(id)) find('disk-unused', at, id)

  const taken = new Set<string>()
  for (const drive of items.filter((item) => [TYPE.disk, TYPE.cd, TYPE.floppy].includes(typeOf(item)))) {
    if (drive.attributes.required === 'false' && typeOf(drive) !== TYPE.disk) continue
    const parent = items.find((item) => textOf(item, 'InstanceID') === textOf(drive, 'Parent'))
    const isController = parent && [TYPE.ide, TYPE.scsi, TYPE.other].includes(typeOf(parent))
    if (typeOf(drive) === TYPE.floppy) continue
    if (!isController) {
      find('item-parent', place(drive), textOf(drive, 'Parent') || 'no Parent')
      continue
    }
    const address = textOf(drive, 'AddressOnParent')
    const slot = `${textOf(drive, 'Parent')}/${address}`
    if (address === '' || taken.has(slot))
      find('item-address', place(drive), address === '' ? 'none' : `${address}, again`)
    else if (Number(address) > LAST[typeOf(parent)]!) find('item-address', place(drive), address)
    taken.add(slot)
    if (address === '7' && typeOf(parent) === TYPE.scsi && typeOf(drive) === TYPE.disk)
      find('scsi-address-7', place(drive), '7')
  }
}

function lintCards(
  cards: readonly OvfNode[],
  envelope: OvfNode,
  hardware: OvfNode,
  place: (node: OvfNode) => string,
  find: Find<typeof hardwareRules>,
): void {
  if (cards.length === 0) find('nic-none', place(hardware), 'no item of ResourceType 10')
  const networks = childrenOf(childOf(envelope, 'NetworkSection'), 'Network').map(
    ({ attributes }) => attributes.name,
  )
  for (const card of cards) {
    const kind = textOf(card, 'ResourceSubType')
    // ovftool takes a list of choices: "VmxNet3 E1000".
    if (!kind.split(/\s+/).some((one) => nics.includes(one.toLowerCase())))
      find('nic-kind', place(card), kind)
    const connection = textOf(card, 'Connection')
    if (connection !== '' && !networks.includes(connection)) find('nic-network', place(card), connection)
    if (/^[0-9A-Fa-f]{2}([:-]?[0-9A-Fa-f]{2}){5}$/.test(textOf(card, 'Address')))
      find('nic-mac', place(card), textOf(card, 'Address'))
  }
}
