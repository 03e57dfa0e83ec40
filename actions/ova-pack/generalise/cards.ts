import { isMap, parseDocument, type YAMLMap } from 'yaml'
import { dropLines, type Operation, type Rule, removeIf } from './operation.ts'

const MAC = '[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}'

/** What every hypervisor's card is called, whichever it has: by its place (eno1, enp0s3, ens160), or eth0. */
const ANY_CARD = 'e*'

/**
 * Settings that match the build machine's card match none at a customer's: they are made to match any, so that the
 * machine has the network it was given.
 */
export function cards(): Operation[] {
  const edit = (change: (text: string) => string, ...patterns: string[]) =>
    patterns.map((pattern): Rule => ({ kind: 'edit', pattern, change }))
  return [
    {
      name: 'MAC addresses in network settings',
      reason: "Settings for the build machine's card match none at a customer's; they are made to match any.",
      rules: [
        ...edit(netplan, '/etc/netplan/*.yaml', '/etc/netplan/*.yml', '/usr/lib/netplan/*.yaml'),
        ...edit(keyfile, '/etc/NetworkManager/system-connections/*'),
        ...edit(networkFile, '/etc/systemd/network/*.network'),
        ...removeIf(/^\s*(?:Permanent)?MACAddress\s*=/m, '/etc/systemd/network/*.link'),
        ...dropLines(
          /^\s*(?:hwaddress|HWADDR\s*=)/,
          '/etc/network/interfaces',
          '/etc/network/interfaces.d/*',
        ),
        // UUID is of the connection that the installer made; the host name is the build's.
        ...dropLines(
          /^\s*(?:HWADDR|MACADDR|UUID|DHCP_HOSTNAME)\s*=/,
          '/etc/sysconfig/network-scripts/ifcfg-*',
          '/etc/sysconfig/network/ifcfg-*',
        ),
        ...removeIf(new RegExp(`\\bATTR\\{address\\}=="${MAC}"`), '/etc/udev/rules.d/*'),
      ],
    },
  ]
}

/**
 * A card that is matched by its MAC address, or is the only one and known by its name alone, is any card.
 *
 * @see netplan(5) "Properties for physical device types"
 */
function netplan(text: string): string {
  const document = parseDocument(Buffer.from(text, 'latin1').toString('utf8'))
  const ethernets = document.errors.length > 0 ? undefined : document.getIn(['network', 'ethernets'])
  if (!isMap(ethernets)) return text
  let changed = false
  for (const { key, value } of ethernets.items) {
    if (!isMap(value)) continue
    const card = value as YAMLMap
    const byMac = card.getIn(['match', 'macaddress']) !== undefined
    const byName =
      ethernets.items.length === 1 &&
      !card.has('match') &&
      !card.has('addresses') &&
      /^(en|eth)/.test(`${key}`)
    if (!byMac && !byName) continue
    card.delete('set-name')
    card.delete('macaddress')
    card.set('match', document.createNode({ name: ANY_CARD }))
    changed = true
  }
  return changed ? Buffer.from(document.toString({ lineWidth: 0 })).toString('latin1') : text
}

/** @see nm-settings-keyfile(5); `cloned-mac-address` may also say `preserve` or `random` */
function keyfile(text: string): string {
  const mac = new RegExp(`^\\s*(?:mac-address\\s*=.*|cloned-mac-address\\s*=\\s*${MAC}\\s*)$`)
  const lines = text.split('\n')
  if (!lines.some((line) => mac.test(line))) return text
  return lines.filter((line) => !mac.test(line) && !/^\s*interface-name\s*=/.test(line)).join('\n')
}

/** In `[Match]` an address becomes a name; in `[Link]` it would be every customer's. @see systemd.network(5) */
function networkFile(text: string): string {
  const address = /^\s*(?:Permanent)?MACAddress\s*=.*$/
  const lines = text.split('\n')
  let section = ''
  let named = /^\[Match\][^[]*^\s*(?:Name|Type)\s*=/m.test(text)
  return lines
    .flatMap((line) => {
      section = /^\s*\[(\w+)\]/.exec(line)?.[1] ?? section
      if (!address.test(line) || !/^(Match|Link)$/.test(section)) return [line]
      if (section === 'Link' || named) return []
      named = true
      return ['Name=en* eth*']
    })
    .join('\n')
}
