import { type Element, element } from './xml.ts'

/** A CIM_ResourceAllocationSettingData: property → value. */
export type HardwareItem = Record<string, string | number>

export interface Hardware {
  cpus: number
  /** Bytes; a multiple of 1 MiB. */
  memory: number
  nic: 'VmxNet3' | 'E1000'
  network: string
  diskId: string
  /** A drive for the properties that an importer hands over on an ISO image. */
  cdrom: boolean
}

/** CIM_ResourceAllocationSettingData.ResourceType. */
const TYPE = { processor: 3, memory: 4, ide: 5, scsi: 6, ethernet: 10, cdrom: 15, disk: 17 } as const

const SCSI = 3
const IDE = 6

/**
 * The machine as a list of items. `Parent` and `AddressOnParent` always stand where something is plugged into a
 * controller (VirtualBox refuses a drive without, Proxmox names disks by them), an IDE controller has no subtype
 * (ovftool refuses the usual one), and there are neither video nor VMCI items (VirtualBox refuses those).
 */
export function hardwareItems({ cpus, memory, nic, network, diskId, cdrom }: Hardware): HardwareItem[] {
  const items: HardwareItem[] = [
    {
      AllocationUnits: 'hertz * 10^6',
      Description: 'Number of virtual processors',
      ElementName: `${cpus} virtual processor${cpus === 1 ? '' : 's'}`,
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
      Description: 'SCSI controller',
      ElementName: 'SCSI controller 0',
      InstanceID: SCSI,
      ResourceSubType: 'lsilogic',
      ResourceType: TYPE.scsi,
    },
    {
      AddressOnParent: 0,
      ElementName: 'Hard disk 1',
      HostResource: `ovf:/disk/${diskId}`,
      InstanceID: 4,
      Parent: SCSI,
      ResourceType: TYPE.disk,
    },
    {
      AddressOnParent: 7,
      AutomaticAllocation: 'true',
      Connection: network,
      Description: `${nic} ethernet adapter`,
      ElementName: 'Network adapter 1',
      InstanceID: 5,
      ResourceSubType: nic,
      ResourceType: TYPE.ethernet,
    },
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
        InstanceID: 7,
        Parent: IDE,
        ResourceType: TYPE.cdrom,
      },
    )
  return items
}

/** The schema wants an item's children in alphabetical order (DSP8023; CIM_ResourceAllocationSettingData.xsd). */
export function itemElement(item: HardwareItem): Element {
  const names = Object.keys(item).sort()
  return element('Item', {}, ...names.map((name) => element(`rasd:${name}`, String(item[name]))))
}
