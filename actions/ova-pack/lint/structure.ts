import { childOf, childrenOf, type OvfNode } from '../../lib/ovf/tree.ts'
import type { Find, Rules } from './rule.ts'

export const structureRules = {
  'descriptor-xml': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'The descriptor is no well-formed XML.',
    fix: 'xmllint --noout FILE.ovf shows the place.',
  },
  'descriptor-size': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'The descriptor is larger than 4 MiB.',
    fix: 'Licences and icons belong into files of their own.',
  },
  'descriptor-namespace': {
    severity: 'error',
    concerns: ['ovf', 'vmware'],
    what: 'The root is no Envelope of OVF 1.x or 2.x, or an element stands in a namespace that importers do not know.',
    fix: 'xmlns="http://schemas.dmtf.org/ovf/envelope/1", and the prefixes ovf, rasd, vssd on the root.',
  },
  'descriptor-version-2': {
    severity: 'warning',
    concerns: ['vmware', 'virtualbox', 'proxmox'],
    what: 'OVF 2.x, which hardly any importer reads.',
    fix: 'Write OVF 1.x.',
  },
  'descriptor-old': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'OVF 0.9, the draft of 2008.',
    fix: 'Write OVF 1.x.',
  },
  'envelope-order': {
    severity: 'error',
    concerns: ['ovf', 'vmware'],
    what: 'The parts of the Envelope are not in the schema’s order: References, sections, then the virtual system.',
    fix: 'Order: References, DiskSection, NetworkSection, …, VirtualSystem, Strings.',
  },
  'system-order': {
    severity: 'error',
    concerns: ['ovf', 'vmware'],
    what: 'A VirtualSystem begins with Info, then Name, then sections.',
    fix: 'Order: Info, Name, sections.',
  },
  'hardware-order': {
    severity: 'error',
    concerns: ['ovf', 'vmware'],
    what: 'Something stands before System or between the Items of the hardware where the schema allows nothing.',
    fix: 'Order: Info, System, Items, then vmw:Config and other extensions.',
  },
  'section-info': {
    severity: 'error',
    concerns: ['ovf', 'vmware'],
    what: 'A section does not begin with its Info.',
    fix: 'The first child of every section is <Info>.',
  },
  'item-order': {
    severity: 'error',
    concerns: ['vmware', 'ovf'],
    what: 'The children of an Item are not in alphabetical order, as the schema of rasd wants.',
    fix: 'Sort them by name.',
  },
  'item-namespace': {
    severity: 'error',
    concerns: ['ovf', 'vmware'],
    what: 'A property of an Item is not in the namespace of CIM_ResourceAllocationSettingData.',
    fix: 'Write rasd:InstanceID and so on, with the prefix bound on the root.',
  },
  'system-missing': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'There is no VirtualSystem.',
    fix: 'Describe the machine in one.',
  },
  'system-collection': {
    severity: 'error',
    concerns: ['vmware', 'virt-v2v', 'proxmox'],
    what: 'A VirtualSystemCollection (a vApp): ESXi without vCenter refuses it, others take the first machine.',
    fix: 'One VirtualSystem an OVA.',
  },
  'hardware-missing': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'There is no VirtualHardwareSection; ESXi: "Missing child element \'VirtualHardwareSection\'".',
    fix: 'Describe processors, memory, disks and networks in one.',
  },
} as const satisfies Rules

const OVF1 = 'http://schemas.dmtf.org/ovf/envelope/1'
const OVF2 = 'http://schemas.dmtf.org/ovf/envelope/2'
const RASD = /\/wbem\/wscim\/1\/cim-schema\/2\/CIM_ResourceAllocationSettingData$/

const envelopeOrder = ['References', '*Section', 'VirtualSystem', 'VirtualSystemCollection', 'Strings']

/** Order, namespaces and the sections every importer counts on. @returns the virtual system, if there is one */
export function lintStructure(
  envelope: OvfNode,
  file: string,
  find: Find<typeof structureRules>,
): OvfNode | undefined {
  const place = (node: OvfNode) => `${file}:${node.line}`
  if (envelope.name !== 'Envelope' || ![OVF1, OVF2].includes(envelope.namespace)) {
    const old = envelope.namespace.includes('www.vmware.com/schema/ovf/1/envelope')
    find(
      old ? 'descriptor-old' : 'descriptor-namespace',
      place(envelope),
      `{${envelope.namespace}}${envelope.name}`,
    )
    return undefined
  }
  if (envelope.namespace === OVF2) find('descriptor-version-2', place(envelope), envelope.namespace)
  for (const child of envelope.children)
    if (child.namespace === '') find('descriptor-namespace', place(child), `${child.name} in no namespace`)

  const rank = ({ name }: OvfNode) => {
    const known = envelopeOrder.indexOf(name)
    return known >= 0 ? known : name.endsWith('Section') ? 1 : -1
  }
  let last = 0
  for (const child of envelope.children) {
    const own = rank(child)
    if (own >= 0 && own < last) find('envelope-order', place(child), `${child.name} comes too late`)
    last = Math.max(last, own)
  }
  if (!childOf(envelope, 'References')) find('envelope-order', place(envelope), 'no References')

  const collection = childOf(envelope, 'VirtualSystemCollection')
  if (collection)
    find('system-collection', place(collection), `${childrenOf(collection, 'VirtualSystem').length} systems`)
  const system = childOf(envelope, 'VirtualSystem') ?? childOf(collection, 'VirtualSystem')
  if (!system) {
    find('system-missing', place(envelope), envelope.children.map(({ name }) => name).join(', '))
    return undefined
  }
  if (childrenOf(envelope, 'VirtualSystem').length > 1)
    find('system-collection', place(system), 'more than one VirtualSystem')
  lintSystem(system, place, find)
  for (const section of [...envelope.children, ...system.children])
    if (section.name.endsWith('Section') && section.children[0]?.name !== 'Info')
      find(
        'section-info',
        place(section),
        `${section.name} begins with ${section.children[0]?.name ?? 'nothing'}`,
      )
  return system
}

function lintSystem(
  system: OvfNode,
  place: (node: OvfNode) => string,
  find: Find<typeof structureRules>,
): void {
  const names = system.children.map(({ name }) => name)
  const firstSection = names.findIndex((name) => name.endsWith('Section'))
  const late = system.children.find(
    ({ name }, index) => (name === 'Info' || name === 'Name') && firstSection >= 0 && index > firstSection,
  )
  if (names[0] !== 'Info') find('system-order', place(system), `begins with ${names[0] ?? 'nothing'}`)
  else if (late) find('system-order', place(late), `${late.name} after a section`)
  const hardware = childOf(system, 'VirtualHardwareSection')
  if (!hardware) {
    find('hardware-missing', place(system), names.join(', '))
    return
  }
  const rank = (name: string) => ['Info', 'System', 'Item', 'StorageItem', 'EthernetPortItem'].indexOf(name)
  let last = 0
  for (const child of hardware.children) {
    const own = rank(child.name) < 0 ? 9 : Math.min(rank(child.name), 2)
    if (own < last) find('hardware-order', place(child), `${child.name} after what belongs behind it`)
    last = Math.max(last, own)
  }
  for (const item of childrenOf(hardware, 'Item')) {
    const properties = item.children.filter(({ namespace }) => RASD.test(namespace))
    const strange = item.children.find(
      ({ namespace, name }) =>
        !RASD.test(namespace) && /^[A-Z]/.test(name) && namespace !== 'http://www.vmware.com/schema/ovf',
    )
    if (strange) find('item-namespace', place(strange), `{${strange.namespace}}${strange.name}`)
    const written = properties.map(({ name }) => name)
    const unsorted = written.find((name, index) => index > 0 && name < written[index - 1]!)
    if (unsorted)
      find('item-order', place(item), `${unsorted} after ${written[written.indexOf(unsorted) - 1]}`)
  }
}
