import { childOf, childrenOf, type OvfNode, textOf } from '../../lib/ovf/tree.ts'
import type { Find, Rules } from './rule.ts'

export const settingRules = {
  'firmware-value': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'A firmware other than bios and efi.',
    fix: 'vmw:Config key="firmware" value="bios" or "efi".',
  },
  'boot-order': {
    severity: 'warning',
    concerns: ['vmware'],
    what: 'A vmw:BootOrderSection made vCenter show BIOS instead of EFI (kubernetes-sigs/image-builder#619).',
    fix: 'Leave it out.',
  },
  'config-required': {
    severity: 'error',
    concerns: ['ovf', 'virtualbox'],
    what: 'An extension that is required (ovf:required is true where nothing is said), so others must refuse it.',
    fix: 'ovf:required="false" on vmw:Config and the like.',
  },
  'os-section': {
    severity: 'warning',
    concerns: ['vmware', 'virtualbox'],
    what: 'No OperatingSystemSection, or an id that is no number of CIM_OperatingSystem.',
    fix: 'ovf:id 96 Debian, 94 Ubuntu, 80 RHEL, 101 Linux, all 64-bit.',
  },
  'property-type': {
    severity: 'error',
    concerns: ['ovf', 'vmware'],
    what: 'A property without a type, or of one the standard does not have.',
    fix: 'string, boolean, uint8 … sint64, real32, real64.',
  },
  'property-key': {
    severity: 'error',
    concerns: ['ovf', 'vmware'],
    what: 'A property without a key, with a dot in it, or the same key twice.',
    fix: 'Letters, digits, dash and underscore; dots separate class, key and instance.',
  },
  'property-default': {
    severity: 'warning',
    concerns: ['virtualbox', 'virt-v2v', 'proxmox'],
    what: 'A property without a default: VirtualBox, virt-v2v and Proxmox hand over none at all.',
    fix: 'Give ovf:value, and let the appliance work with it.',
  },
  'property-default-type': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'A default that is not of the property’s type or outside its qualifiers.',
    fix: 'boolean: true or false; uint16: 0 to 65535; one of the ValueMap.',
  },
  'property-password': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'A default for a password: every installation has it.',
    fix: 'No default, and a password made at first boot.',
  },
  'property-transport': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'Properties that nothing carries into the guest: the hardware names no transport.',
    fix: 'ovf:transport="iso" on the VirtualHardwareSection.',
  },
  'property-cd': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'ISO transport and no CD drive.',
    fix: 'An item of ResourceType 15 with a Parent.',
  },
  'eula-empty': {
    severity: 'warning',
    concerns: ['vmware'],
    what: 'An empty licence agreement.',
    fix: 'Leave the section out, or write the text into License.',
  },
  'message-missing': {
    severity: 'warning',
    concerns: ['vmware', 'ovf'],
    what: 'A text refers to a message id that no Strings bundle has.',
    fix: 'A Msg with that ovf:msgid in every Strings.',
  },
} as const satisfies Rules

const integers: Record<string, [bigint, bigint]> = {
  uint8: [0n, 255n],
  sint8: [-128n, 127n],
  uint16: [0n, 65_535n],
  sint16: [-32_768n, 32_767n],
  uint32: [0n, 2n ** 32n - 1n],
  sint32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  sint64: [-(2n ** 63n), 2n ** 63n - 1n],
}
const otherTypes = ['string', 'boolean', 'real32', 'real64', 'ip', 'int', 'password']

/** Firmware, operating system, properties, licence: what surrounds the hardware. */
export function lintSettings(
  system: OvfNode,
  envelope: OvfNode,
  file: string,
  find: Find<typeof settingRules>,
): void {
  const place = (node: OvfNode) => `${file}:${node.line}`
  const hardware = childOf(system, 'VirtualHardwareSection')
  for (const config of [...childrenOf(hardware, 'Config'), ...childrenOf(hardware, 'ExtraConfig')]) {
    const { key, value = '', required } = config.attributes
    if (required !== 'false') find('config-required', place(config), `${config.name} ${key}`)
    if (key !== 'firmware') continue
    if (value !== 'bios' && value !== 'efi') find('firmware-value', place(config), value)
  }
  const order = childOf(system, 'BootOrderSection') ?? childOf(hardware, 'BootOrderSection')
  if (order) find('boot-order', place(order), order.name)
  const os = childOf(system, 'OperatingSystemSection')
  if (!os || !/^\d{1,5}$/.test(os.attributes.id ?? ''))
    find('os-section', place(os ?? system), os?.attributes.id ?? 'none')

  const products = childrenOf(system, 'ProductSection')
  const properties = products.flatMap((product) =>
    childrenOf(product, 'Property').map((node) => ({ product, node })),
  )
  lintProperties(properties, place, find)
  if (properties.length > 0 && hardware) {
    const transport = hardware.attributes.transport ?? ''
    if (transport.trim() === '')
      find('property-transport', place(hardware), `${properties.length} properties`)
    const cd = childrenOf(hardware, 'Item').some((item) =>
      ['15', '16'].includes(textOf(item, 'ResourceType')),
    )
    if (transport.split(/\s+/).includes('iso') && !cd)
      find('property-cd', place(hardware), `transport="${transport}"`)
  }
  for (const eula of childrenOf(system, 'EulaSection'))
    if (!childOf(eula, 'License')?.attributes.msgid && textOf(eula, 'License') === '')
      find('eula-empty', place(eula), '')
  lintMessages(system, envelope, place, find)
}

function lintProperties(
  properties: readonly { product: OvfNode; node: OvfNode }[],
  place: (node: OvfNode) => string,
  find: Find<typeof settingRules>,
): void {
  const seen = new Set<string>()
  for (const { product, node } of properties) {
    const { key = '', type = '', value, password, qualifiers = '', userConfigurable } = node.attributes
    const whole = `${product.attributes.class ?? ''}.${key}.${product.attributes.instance ?? ''}`
    if (!/^[^.:\s]+$/.test(key) || seen.has(whole)) find('property-key', place(node), key || '(none)')
    seen.add(whole)
    if (!integers[type] && !otherTypes.includes(type))
      find('property-type', place(node), `${key}: ${type || '(none)'}`)
    if (password === 'true') {
      if (value) find('property-password', place(node), key)
    } else if (value === undefined && userConfigurable === 'true') find('property-default', place(node), key)
    const wrong = value === undefined || value === '' ? undefined : misfit(value, type, qualifiers)
    if (wrong) find('property-default-type', place(node), `${key}="${value}": ${wrong}`)
  }
}

function misfit(value: string, type: string, qualifiers: string): string | undefined {
  const range = Object.hasOwn(integers, type) ? integers[type] : undefined
  if (range && (!/^-?\d{1,20}$/.test(value) || BigInt(value) < range[0] || BigInt(value) > range[1]))
    return `no ${type}`
  if (type === 'boolean' && !/^(true|false)$/i.test(value)) return 'no boolean'
  const map = /ValueMap\s*[{(]([^})]*)[})]/.exec(qualifiers)?.[1]
  const allowed = map ? [...map.matchAll(/"([^"]*)"/g)].map((match) => match[1]) : undefined
  if (allowed && !allowed.includes(value)) return 'none of its ValueMap'
  const most = /MaxLen\((\d+)\)/.exec(qualifiers)?.[1]
  return most !== undefined && value.length > Number(most) ? `longer than ${most}` : undefined
}

function lintMessages(
  system: OvfNode,
  envelope: OvfNode,
  place: (node: OvfNode) => string,
  find: Find<typeof settingRules>,
): void {
  const bundles = childrenOf(envelope, 'Strings')
  const known = new Set(
    bundles.flatMap((bundle) => childrenOf(bundle, 'Msg').map(({ attributes }) => attributes.msgid)),
  )
  const inFiles = bundles.some(({ attributes }) => attributes.fileRef !== undefined)
  const nodes = [...system.children]
  for (let node = nodes.pop(); node; node = nodes.pop()) {
    const id = node.attributes.msgid
    if (id !== undefined && !known.has(id) && !inFiles) find('message-missing', place(node), id)
    nodes.push(...node.children)
  }
}
