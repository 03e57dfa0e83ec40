import type { Fault } from '../../lib/errors/fault.ts'
import type { Property } from '../../lib/ovf/properties.ts'
import type { SettingGroup } from '../../lib/spec/property.ts'

const setting = (key: string, label: string, description: string, value = ''): Property => ({
  key,
  type: 'string',
  label,
  description,
  default: value,
})

/** What every site sets. Defaults work everywhere: a machine that is told nothing asks DHCP. */
const groups: Record<SettingGroup, (hostname: string) => Property[]> = {
  hostname: (hostname) => [setting('hostname', 'Host name', 'With or without its domain.', hostname)],
  network: () => [
    setting(
      'address',
      'IP address',
      'dhcp, or an address with its prefix: 192.0.2.10/24, 2001:db8::10/64.',
      'dhcp',
    ),
    setting('gateway', 'Gateway', 'Address of the router; goes with a static address.'),
  ],
  dns: () => [
    setting('dns', 'DNS servers', 'Addresses with blanks between; empty: as DHCP says.'),
    setting('search', 'Search domains', 'Domains with blanks between; empty: as DHCP says.'),
  ],
  ntp: () => [
    setting('ntp', 'NTP servers', "Names or addresses with blanks between; empty: the distribution's."),
  ],
  proxy: () => [
    setting('proxy', 'HTTP proxy', 'http://proxy.example.com:3128; empty: none.'),
    setting('no_proxy', 'Not by the proxy', 'Hosts and domains with commas between.', 'localhost,127.0.0.1'),
  ],
  ca: () => [
    setting(
      'ca',
      'Further certificate authority',
      'A PEM certificate (line ends may be blanks), or base64 of one or more.',
    ),
  ],
}

const titles: Record<SettingGroup, string> = {
  hostname: 'Name',
  network: 'Network',
  dns: 'Name resolution',
  ntp: 'Time',
  proxy: 'Proxy',
  ca: 'Trust',
}

/** The properties of the wanted groups, each group under its headline. */
export function settingProperties(wanted: readonly SettingGroup[], hostname: string): Property[] {
  const order: readonly SettingGroup[] = ['hostname', 'network', 'dns', 'ntp', 'proxy', 'ca']
  return order
    .filter((group) => wanted.includes(group))
    .flatMap((group) =>
      groups[group](hostname).map((property, index) =>
        index === 0 ? { ...property, category: titles[group] } : property,
      ),
    )
}

/** A fault for every property of the user's own whose key is taken: importers show one of two. */
export function propertyFaults(pack: {
  settings: readonly SettingGroup[]
  properties: readonly { key: string }[]
}): Fault[] {
  const keys = pack.properties.map(({ key }) => key)
  const builtIn = settingProperties(pack.settings, '').map(({ key }) => key)
  return [...new Set(keys)].flatMap((key) => {
    if (builtIn.includes(key))
      return [{ message: `pack.properties: ${key} is one of pack.settings; give yours another key` }]
    const count = keys.filter((one) => one === key).length
    return count > 1 ? [{ message: `pack.properties: ${key} is there ${count} times` }] : []
  })
}
