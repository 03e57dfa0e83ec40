import type { DiskController, Firmware, NicModel } from '../../lib/hypervisor/hypervisor.ts'
import { childText, descendants, type Element, parseXml } from './xml.ts'

/** What an OVF descriptor says its machine is made of; sizes in bytes. */
export interface DescribedMachine {
  name: string
  cpus: number
  memory: number
  firmware: Firmware
  /** File name of its first disk. */
  disk: string
  capacity: number
  /** Its further disks; one without a file is empty. */
  moreDisks: { file?: string; capacity: number }[]
  controller: DiskController
  nic: NicModel
  /** How many network cards it has; at least the one by which it is reached. */
  nics: number
  /** Where the driver's device is only near to the one described: what a reader of the verdict must know. */
  remarks: string[]
}

/** CIM_ResourceAllocationSettingData.ResourceType. */
const types = { cpu: '3', memory: '4', ide: '5', scsi: '6', ethernet: '10', disk: '17', otherStorage: '20' }

const controllers: Record<string, DiskController> = {
  virtualscsi: 'pvscsi',
  lsilogic: 'lsi',
  lsilogicsas: 'lsi',
  buslogic: 'lsi',
  ahci: 'ahci',
  'vmware.sata.ahci': 'ahci',
  'vmware.nvme.controller': 'nvme',
  virtioscsi: 'virtio',
}

const nics: Record<string, NicModel> = {
  vmxnet3: 'vmxnet3',
  e1000: 'e1000',
  e1000e: 'e1000e',
  pcnet32: 'pcnet',
  virtionet: 'virtio',
}

/**
 * Reads the essentials of a descriptor with one virtual system (DSP0243 1.x, clauses 7 and 8).
 *
 * @returns the machine, or every reason why there is none
 */
export function parseDescriptor(text: string): DescribedMachine | { faults: string[] } {
  let envelope: Element
  try {
    envelope = parseXml(text)
  } catch (error) {
    return { faults: [(error as Error).message] }
  }
  const faults: string[] = []
  const remarks: string[] = []
  const systems = descendants(envelope, 'VirtualSystem')
  const system = systems[0]
  if (!system || systems.length > 1)
    return { faults: [`it describes ${systems.length} virtual systems; exactly one is understood`] }
  const items = descendants(system, 'Item')
  const ofType = (type: string) => items.filter((item) => childText(item, 'ResourceType') === type)

  const cpus = Number(childText(ofType(types.cpu)[0] ?? none, 'VirtualQuantity'))
  if (!Number.isInteger(cpus) || cpus < 1) faults.push('it has no item for processors (ResourceType 3)')
  const memory = quantity(ofType(types.memory)[0], 'VirtualQuantity', 'AllocationUnits')
  if (memory === undefined) faults.push('it has no usable item for memory (ResourceType 4)')

  const drives = ofType(types.disk)
  const [drive, ...moreDrives] = drives
  if (!drive) faults.push('it has no disk (ResourceType 17)')
  const disks = drives.map((one) => diskOf(one, envelope, faults))
  if (disks[0] && disks[0].file === undefined && faults.length === 0)
    faults.push('its first disk is empty: nothing to boot from')

  const controllerItem = (one: Element | undefined) =>
    items.find((item) => one && childText(item, 'InstanceID') === childText(one, 'Parent'))
  const parent = controllerItem(drive)
  if (moreDrives.some((one) => kindOf(controllerItem(one)) !== kindOf(parent)))
    remarks.push('its further disks are plugged into a controller of the first one’s kind')
  const cards = ofType(types.ethernet)
  if (cards.length === 0)
    remarks.push('it describes no network card; one is plugged in so that the machine can be reached')
  if (cards.some((card) => kindOf(card) !== kindOf(cards[0])))
    remarks.push('its further network cards are of the first one’s kind')
  const firmware = descendants(system, 'Config').find(({ attributes }) => attributes.key === 'firmware')
  if (faults.length > 0) return { faults }
  return {
    name: childText(system, 'Name') || system.attributes.id || '',
    cpus,
    memory: memory!,
    firmware: firmware?.attributes.value === 'efi' ? 'uefi' : 'bios',
    disk: disks[0]!.file!,
    capacity: disks[0]!.capacity,
    moreDisks: disks.slice(1),
    controller: controllerOf(parent, remarks),
    nic: nicOf(cards[0], remarks),
    nics: Math.max(1, cards.length),
    remarks,
  }
}

const none: Element = { name: '', attributes: {}, children: [], text: '' }

function kindOf(item: Element | undefined): string {
  return item ? childText(item, 'ResourceSubType').toLowerCase() : ''
}

/** What an item of a disk drive stands for; what is wrong with it goes to `faults`. */
function diskOf(drive: Element, envelope: Element, faults: string[]): { file?: string; capacity: number } {
  const diskId = childText(drive, 'HostResource').replace(/^(ovf:)?\/disk\//, '')
  const disk = descendants(envelope, 'Disk').find(({ attributes }) => attributes.diskId === diskId)
  const reference = disk?.attributes.fileRef
  const file = descendants(envelope, 'File').find(({ attributes }) => attributes.id === reference)
  const href = file?.attributes.href
  if (!disk || (reference !== undefined && !href))
    faults.push(`its disk ${diskId} is no file among its References`)
  const unit = bytesOfUnit(disk?.attributes.capacityAllocationUnits ?? 'byte')
  const capacity = Number(disk?.attributes.capacity) * (unit ?? Number.NaN)
  if (disk && !(capacity > 0)) faults.push(`the capacity of its disk ${diskId} is not understood`)
  return href ? { file: href, capacity } : { capacity }
}

function controllerOf(item: Element | undefined, remarks: string[]): DiskController {
  const kind = item ? childText(item, 'ResourceSubType') : ''
  const found = controllers[kind.toLowerCase()]
  if (found === 'lsi')
    remarks.push(
      `controller ${kind}: booted as LSI 53C895A, the nearest one that QEMU has and a kernel can boot from`,
    )
  if (found) return found
  const type = item ? childText(item, 'ResourceType') : ''
  remarks.push(`controller ${kind || `of type ${type || 'unknown'}`}: booted as AHCI instead`)
  return 'ahci'
}

function nicOf(item: Element | undefined, remarks: string[]): NicModel {
  const kind = item ? childText(item, 'ResourceSubType') : ''
  const found = nics[kind.toLowerCase()]
  if (found) return found
  if (item) remarks.push(`network card ${kind || 'of no kind'}: booted as E1000 instead`)
  return 'e1000'
}

function quantity(item: Element | undefined, name: string, unitName: string): number | undefined {
  if (!item) return undefined
  const bytes = Number(childText(item, name)) * (bytesOfUnit(childText(item, unitName)) ?? Number.NaN)
  return bytes > 0 ? bytes : undefined
}

/** `byte * 2^20` → 1048576 (DSP0004 annex C, programmatic units), and `MegaBytes`, which old descriptors say. */
export function bytesOfUnit(unit: string): number | undefined {
  const words: Record<string, number> = {
    byte: 1,
    bytes: 1,
    kilobytes: 2 ** 10,
    megabytes: 2 ** 20,
    gigabytes: 2 ** 30,
  }
  const word = words[unit.trim().toLowerCase()]
  if (word) return word
  const match = /^\s*byte\s*\*\s*(\d+)(?:\s*\^\s*(\d+))?\s*$/i.exec(unit)
  return match ? Number(match[1]) ** Number(match[2] ?? 1) : undefined
}
