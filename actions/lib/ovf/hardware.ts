import { counted } from '../units/counted.ts'
import { type Element, element } from './xml.ts'

/** A CIM_ResourceAllocationSettingData: property → value. */
export type HardwareItem = Record<string, string | number>

/** Network cards that every importer maps to something that works. */
export type NicKind = 'VmxNet3' | 'E1000' | 'E1000e'

/** Disk controllers of VMware: `ResourceType` and `ResourceSubType` of each. */
export const controllers = {
  lsilogic: { type: 6, subtype: 'lsilogic', name: 'SCSI controller', most: 15 },
  lsilogicsas: { type: 6, subtype: 'lsilogicsas', name: 'SCSI controller', most: 15 },
  pvscsi: { type: 6, subtype: 'VirtualSCSI', name: 'SCSI controller', most: 15 },
  ahci: { type: 20, subtype: 'vmware.sata.ahci', name: 'SATA controller', most: 30 },
  nvme: { type: 20, subtype: 'vmware.nvme.controller', name: 'NVMe controller', most: 15 },
} as const
/** Network cards of a machine of VMware's. @see VMware, "Configuration Maximums" */
export const MOST_CARDS = 10
export type Controller = keyof typeof controllers

export interface Hardware {
  cpus: number
  /** Bytes; a multiple of 1 MiB. */
  memory: number
  networks: readonly { name: string; kind: NicKind }[]
  controller: Controller
  diskIds: readonly string[]
  /** A drive for the properties that an importer hands over on an ISO image. */
  cdrom: boolean
}

/** CIM_ResourceAllocationSettingData.ResourceType. */
const TYPE = { processor: 3, memory: 4, ide: 5, ethernet: 10, cdrom: 15, disk: 17 } as const

/** Instance IDs of the controllers; drives and cards are numbered on from theirs. */
const DISKS = 3
const IDE = 6
const FIRST_DRIVE = 10
const FIRST_CARD = 30
const CD = 7

/**
 * The machine as a list of items. `Parent` and `AddressOnParent` always stand where something is plugged into a
 * controller (VirtualBox refuses a drive without, Proxmox names disks by them), an IDE controller has no subtype
 * (ovftool refuses the usual one), and there are neither video nor VMCI items (VirtualBox refuses those).
 */
export function hardwareItems(hardware: Hardware): HardwareItem[] {
  const { cpus, memory, networks, controller, diskIds, cdrom } = hardware
  const { type, subtype, name } = controllers[controller]
  const items: HardwareItem[] = [
    {
      AllocationUnits: 'hertz * 10^6',
      Description: 'Number of virtual processors',
      ElementName: counted(cpus, 'virtual processor'),
      InstanceID: 1,
      ResourceType: TYPE.processor,
      VirtualQuantity: cpus,
    },
    {
      AllocationUnits: 'byte * 2^20',
      Description: 'Memory size',
      ElementName: `${memory / 2 ** 20} MiB of memory`,
      InstanceID: 2,
      ResourceType: TYPE.memory,
      VirtualQuantity: memory / 2 ** 20,
    },
    {
      Address: 0,
      Description: name,
      ElementName: `${name} 0`,
      InstanceID: DISKS,
      ResourceSubType: subtype,
      ResourceType: type,
    },
    ...diskIds.map((diskId, index) => ({
      AddressOnParent: addressOf(index, type),
      ElementName: `Hard disk ${index + 1}`,
      HostResource: `ovf:/disk/${diskId}`,
      InstanceID: FIRST_DRIVE + index,
      Parent: DISKS,
      ResourceType: TYPE.disk,
    })),
    ...networks.map((network, index) => ({
      AddressOnParent: 7 + index,
      AutomaticAllocation: 'true',
      Connection: network.name,
      Description: `${network.kind} ethernet adapter`,
      ElementName: `Network adapter ${index + 1}`,
      InstanceID: Math.max(FIRST_CARD, FIRST_DRIVE + diskIds.length) + index,
      ResourceSubType: network.kind,
      ResourceType: TYPE.ethernet,
    })),
  ]
  if (cdrom)
    items.push(
      {
        Address: 0,
        Description: 'IDE controller',
        ElementName: 'IDE controller 0',
        InstanceID: IDE,
        ResourceType: TYPE.ide,
      },
      {
        AddressOnParent: 0,
        AutomaticAllocation: 'true',
        ElementName: 'CD/DVD drive 1',
        InstanceID: CD,
        Parent: IDE,
        ResourceType: TYPE.cdrom,
      },
    )
  return items
}

/** A SCSI controller has address 7 itself. */
function addressOf(index: number, type: number): number {
  return type === 6 && index >= 7 ? index + 1 : index
}

/** The schema wants an item's children in alphabetical order (DSP8023; CIM_ResourceAllocationSettingData.xsd). */
export function itemElement(item: HardwareItem): Element {
  const names = Object.keys(item).sort()
  return element('Item', {}, ...names.map((name) => element(`rasd:${name}`, String(item[name]))))
}
