import { childOf, childrenOf, type OvfNode, textOf } from '../../lib/ovf/tree.ts'

/** CIM_ResourceAllocationSettingData.ResourceType. */
const TYPE = { ide: '5', disk: '17' }

/** Linux' drivers of the controllers that VMware has, by ResourceSubType in lower case. */
const drivers: Readonly<Record<string, string>> = {
  lsilogic: 'mptspi',
  lsilogicsas: 'mptsas',
  buslogic: 'BusLogic',
  virtualscsi: 'vmw_pvscsi',
  ahci: 'ahci',
  'vmware.sata.ahci': 'ahci',
  'vmware.nvme.controller': 'nvme',
}

/** Without which driver the first disk is not found, where the descriptor plugs it in; undefined where nobody can tell. */
export function controllerDriver(system: OvfNode | undefined): string | undefined {
  const items = childrenOf(childOf(system, 'VirtualHardwareSection'), 'Item')
  const disk = items.find((item) => textOf(item, 'ResourceType') === TYPE.disk)
  const controller = disk && items.find((item) => textOf(item, 'InstanceID') === textOf(disk, 'Parent'))
  if (controller && textOf(controller, 'ResourceType') === TYPE.ide) return 'ata_piix'
  return drivers[textOf(controller, 'ResourceSubType').toLowerCase()]
}
