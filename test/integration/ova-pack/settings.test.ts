import { mkdir, mkdtemp, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { run } from '../../../actions/lib/process/command.ts'
import { settingGroups } from '../../../actions/lib/spec/property.ts'
import { agent } from '../../../actions/ova-pack/settings/agent.ts'
import { DEFAULTS } from '../../../actions/ova-pack/settings/agent-unit.ts'
import { settingProperties } from '../../../actions/ova-pack/settings/properties.ts'
import { ovfEnvironment } from '../../fixtures/ovf-environment.ts'
import { signingKey } from './specimen.ts'

let root: string
const at = (path: string) => join(root, path)
const content = (path: string) => readFile(at(path), 'utf8').catch(() => undefined)
const put = async (path: string, text = '') => {
  await mkdir(dirname(at(path)), { recursive: true })
  await writeFile(at(path), text)
}

/** A guest's folders as far as the agent looks: the first card is ens160, and eth lo is none. */
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ova-agent-'))
  await put('agent', agent)
  await put('sys/class/net/ens160/device/x')
  await put('sys/class/net/ens192/device/x')
  await put('sys/class/net/docker0/x')
  await put('etc/hosts', '127.0.0.1\tlocalhost\n127.0.1.1\tgood\n')
  for (const { key, default: value } of settingProperties(settingGroups, 'good'))
    await put(`${DEFAULTS}/${key}`, value)
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function applied(given: Record<string, string> | string): Promise<string> {
  await put('env.xml', typeof given === 'string' ? given : ovfEnvironment(given))
  const env = { APPLIANCE_ROOT: root, APPLIANCE_ENVIRONMENT: at('env.xml') }
  const { stdout, stderr, status } = await run('sh', [at('agent')], { env, allowFailure: true })
  expect(status).toBe(0)
  return stdout + stderr
}

const networkd = () => put('etc/systemd/system/multi-user.target.wants/systemd-networkd.service')
const all = {
  hostname: 'web.example.com',
  address: '192.0.2.10/24',
  gateway: '192.0.2.1',
  dns: '192.0.2.53, 2001:db8::53',
  search: 'example.com',
}

describe('a static address', () => {
  test('by systemd-networkd', async () => {
    await networkd()
    await applied(all)
    expect(await content('etc/systemd/network/05-appliance.network')).toBe(
      '[Match]\nName=ens160\n\n[Network]\nAddress=192.0.2.10/24\nGateway=192.0.2.1\nDNS=192.0.2.53\nDNS=2001:db8::53\nDomains=example.com\n\n[DHCPv4]\nClientIdentifier=mac\nUseDNS=no\n',
    )
  })

  test('by NetworkManager, in a file that only root reads', async () => {
    await put('etc/systemd/system/multi-user.target.wants/NetworkManager.service')
    await applied(all)
    const path = 'etc/NetworkManager/system-connections/appliance.nmconnection'
    expect(await content(path)).toContain(
      'interface-name=ens160\n\n[ipv4]\nmethod=manual\naddress1=192.0.2.10/24,192.0.2.1\ndns=192.0.2.53;\nignore-auto-dns=true\ndns-search=example.com;\n\n[ipv6]\nmethod=auto\ndns=2001:db8::53;\nignore-auto-dns=true\ndns-search=example.com;\n',
    )
    expect((await stat(at(path))).mode & 0o777).toBe(0o600)
  })

  test('by netplan: its renderer decides', async () => {
    await put('etc/netplan/00.yaml', 'network:\n  version: 2\n')
    await applied(all)
    expect(await content('etc/systemd/network/05-appliance.network')).toContain('Address=192.0.2.10/24')
    await put('etc/netplan/00.yaml', 'network:\n  version: 2\n  renderer: NetworkManager\n')
    await applied({ ...all, address: '192.0.2.11/24' })
    expect(await content('etc/NetworkManager/system-connections/appliance.nmconnection')).toContain(
      '192.0.2.11/24',
    )
  })

  test('of IPv6 by NetworkManager: each family has its own name servers', async () => {
    await put('etc/systemd/system/multi-user.target.wants/NetworkManager.service')
    await applied({ address: '2001:db8::10/64', gateway: 'fe80::1', dns: '2001:db8::53' })
    expect(await content('etc/NetworkManager/system-connections/appliance.nmconnection')).toContain(
      '[ipv4]\nmethod=auto\nignore-auto-dns=true\n\n[ipv6]\nmethod=manual\naddress1=2001:db8::10/64,fe80::1\ndns=2001:db8::53;\n',
    )
  })

  test('of IPv6', async () => {
    await networkd()
    await applied({ ...all, address: '2001:db8::10/64', gateway: 'fe80::1' })
    expect(await content('etc/systemd/network/05-appliance.network')).toContain(
      'Address=2001:db8::10/64\nGateway=fe80::1\n',
    )
  })
})

describe('ifupdown', () => {
  const interfaces = 'etc/network/interfaces'
  beforeEach(() => put(interfaces, 'iface ens160 inet dhcp\n'))

  test('gets a static address, with name servers for resolvconf and without', async () => {
    await applied(all)
    expect(await content(interfaces)).toContain(
      'iface ens160 inet static\n  address 192.0.2.10/24\n  gateway 192.0.2.1\n  dns-nameservers 192.0.2.53 2001:db8::53\n  dns-search example.com\n',
    )
    expect(await content('etc/resolv.conf')).toBe(
      '# appliance: begin\nsearch example.com\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n# appliance: end\n',
    )
  })

  test('has back what it had when DHCP is to say everything again', async () => {
    await applied(all)
    await applied({ ...all, address: '192.0.2.11/24' })
    await applied({ ...all, address: 'dhcp', gateway: '', dns: '', search: '' })
    expect(await content(interfaces)).toBe('iface ens160 inet dhcp\n')
    expect(await content(`${interfaces}.before-appliance`)).toBeUndefined()
    expect(await content('etc/resolv.conf')).toBe('')
  })

  test('with DHCP, no lease takes the name servers away that were given', async () => {
    const dhclient = 'option rfc3442 code 121 = x;\nrequest subnet-mask;\n'
    const dhcpcd = 'hostname\ninterface ens160\nstatic routers=192.0.2.1\n'
    await put('etc/dhcp/dhclient.conf', dhclient)
    await put('etc/dhcpcd.conf', dhcpcd)
    for (let times = 0; times < 2; times++) {
      await rm(at('var/lib/appliance/settings.applied'), { force: true })
      await applied({ address: 'dhcp', dns: '192.0.2.53 192.0.2.54 2001:db8::53', search: 'a.test b.test' })
      expect(await content('etc/dhcp/dhclient.conf')).toBe(
        `# appliance: begin\nsupersede domain-name-servers 192.0.2.53, 192.0.2.54;\nsupersede dhcp6.name-servers 2001:db8::53;\nsupersede domain-search "a.test", "b.test";\n# appliance: end\n${dhclient}`,
      )
      // Before the first interface, or it would be for that alone.
      expect(await content('etc/dhcpcd.conf')).toBe(
        `# appliance: begin\nstatic domain_name_servers=192.0.2.53 192.0.2.54 2001:db8::53\nstatic domain_search=a.test b.test\n# appliance: end\n${dhcpcd}`,
      )
    }
    await applied({ address: 'dhcp', dns: '', search: '' })
    expect([await content('etc/dhcp/dhclient.conf'), await content('etc/dhcpcd.conf')]).toEqual([
      dhclient,
      dhcpcd,
    ])
  })

  test.each([
    ['systemd-resolved', '../run/systemd/resolve/stub-resolv.conf', ''],
    ['resolvconf', '/run/resolvconf/resolv.conf', ''],
    ['a stranger', '/run/stranger/resolv.conf', 'dns: /etc/resolv.conf leads to /run/stranger/resolv.conf'],
  ])('where resolv.conf belongs to %s, it stays that', async (who, target, told) => {
    await symlink(target, at('etc/resolv.conf'))
    const said = await applied(all)
    expect(said).toContain(told)
    expect(said.includes('leads to')).toBe(told !== '')
    expect(await readlink(at('etc/resolv.conf'))).toBe(target)
    expect(await content('etc/systemd/resolved.conf.d/appliance.conf')).toBe(
      who === 'systemd-resolved'
        ? '[Resolve]\nDNS=192.0.2.53 2001:db8::53\nDomains=example.com\n'
        : undefined,
    )
    await applied({ ...all, dns: '', search: '' })
    expect(await content('etc/systemd/resolved.conf.d/appliance.conf')).toBeUndefined()
  })
})

test.each(['etc/chrony/chrony.conf', 'etc/chrony.conf'])(
  'chrony asks the given servers alone, and its own again when none are given: %s',
  async (path) => {
    const own = 'pool 2.debian.pool.ntp.org iburst\nserver ntp.example.org\ndriftfile /var/lib/chrony/drift\n'
    await put(path, own)
    for (const ntp of ['ntp3.example.com', 'ntp1.example.com ntp2.example.com']) await applied({ ntp })
    expect(await content(path)).toBe(
      '# appliance: begin\nserver ntp1.example.com iburst\nserver ntp2.example.com iburst\n# appliance: end\n#appliance# pool 2.debian.pool.ntp.org iburst\n#appliance# server ntp.example.org\ndriftfile /var/lib/chrony/drift\n',
    )
    await applied({ ntp: '' })
    expect(await content(path)).toBe(own)
    expect(await content('etc/systemd/timesyncd.conf.d/appliance.conf')).toBeUndefined()
  },
)

test('time servers that nobody asks are told', async () => {
  expect(await applied({ ntp: 'ntp.example.com' })).toContain('ntp: nothing here takes time servers')
  await put('usr/lib/systemd/systemd-timesyncd')
  expect(await applied({ ntp: 'ntp2.example.com' })).not.toContain('nothing here takes')
})

test('name, time, proxy', async () => {
  await put('etc/apt/x')
  await put('etc/environment', 'PATH="/usr/bin"\nhttp_proxy=http://old\n')
  await applied({
    ...all,
    ntp: 'ntp1.example.com ntp2.example.com',
    proxy: 'http://proxy.example.com:3128',
    no_proxy: 'localhost,.example.com',
  })
  expect(await content('etc/hostname')).toBe('web\n')
  expect(await content('etc/hosts')).toBe('127.0.0.1\tlocalhost\n127.0.1.1\tweb.example.com web\n')
  expect(await content('etc/systemd/timesyncd.conf.d/appliance.conf')).toBe(
    '[Time]\nNTP=ntp1.example.com ntp2.example.com\n',
  )
  // timesyncd is not root.
  expect((await stat(at('etc/systemd/timesyncd.conf.d'))).mode & 0o777).toBe(0o755)
  expect(await content('etc/environment')).toBe(
    'PATH="/usr/bin"\nhttp_proxy=http://proxy.example.com:3128\nhttps_proxy=http://proxy.example.com:3128\nno_proxy=localhost,.example.com\n',
  )
  expect(await content('etc/apt/apt.conf.d/95appliance-proxy')).toContain(
    'Acquire::http::Proxy "http://proxy.example.com:3128";',
  )
})

test('a certificate authority, as PEM with lost line ends and as base64', async () => {
  const pem = await readFile((await signingKey(root)).certificate, 'utf8')
  for (const ca of [pem, pem.replaceAll('\n', ' '), Buffer.from(pem).toString('base64')]) {
    await rm(at('usr/local/share/ca-certificates'), { recursive: true, force: true })
    await rm(at('var'), { recursive: true, force: true })
    await applied({ ca })
    expect(await content('usr/local/share/ca-certificates/appliance.crt')).toBe(pem)
    await run('openssl', ['x509', '-noout', '-in', at('usr/local/share/ca-certificates/appliance.crt')])
  }
})

test('an authority that is taken back is trusted no more', async () => {
  const pem = await readFile((await signingKey(root)).certificate, 'utf8')
  for (const [folder, path] of [
    ['etc/x', 'usr/local/share/ca-certificates/appliance.crt'],
    ['etc/pki/ca-trust/x', 'etc/pki/ca-trust/source/anchors/appliance.crt'],
  ] as const) {
    await put(folder)
    await applied({ ca: pem })
    expect(await content(path)).toBe(pem)
    await applied({ ca: '', hostname: path.length.toString() })
    expect(await content(path)).toBeUndefined()
  }
})

test('wrong values are told and left out', async () => {
  await networkd()
  const said = await applied({
    // A line of it would do.
    hostname: 'no; reboot\nfine',
    address: '192.0.2.10',
    gateway: 'router',
    dns: '$(reboot) 192.0.2.53',
    proxy: 'http://a b"; rm -rf /',
    ca: 'nothing',
  })
  for (const key of ['hostname', 'address', 'gateway', 'dns', 'proxy', 'ca'])
    expect(said).toContain(`appliance-settings: ${key}`)
  expect(await content('etc/hostname')).toBeUndefined()
  expect(await content('etc/environment')).toBe('')
  expect(await content('etc/systemd/network/05-appliance.network')).toBe(
    '[Match]\nName=ens160\n\n[Network]\nDHCP=yes\nDNS=192.0.2.53\n\n[DHCPv4]\nClientIdentifier=mac\nUseDNS=no\n',
  )
})

test('an address that none can be is told, and DHCP it is: the machine is reached all the same', async () => {
  await networkd()
  const wrong = [
    '192.0.2.300/24',
    '192.0.2.10/33',
    '192.0.2/24',
    '2001:db8::10/129',
    '2001:db8:1/64',
    '1::2::3/64',
  ]
  for (const address of wrong) {
    const said = await applied({
      address,
      dns: address.split('/')[0]!,
      search: address.replaceAll(/\W/g, '-'),
    })
    expect(said).toContain(`appliance-settings: address: ${address} is none, DHCP it is`)
    const written = await content('etc/systemd/network/05-appliance.network')
    expect(written).toContain('DHCP=yes')
    expect(written).not.toContain('Address=')
  }
  for (const address of [
    '203.0.113.255/32',
    '2001:db8::/128',
    '::ffff:192.0.2.1/96',
    '2001:db8:0:0:0:0:0:1/64',
  ]) {
    expect(await applied({ address })).not.toContain('is none')
    expect(await content('etc/systemd/network/05-appliance.network')).toContain(`Address=${address}\n`)
  }
})

test('none are given, or damaged ones: the defaults hold, and nothing is touched', async () => {
  await networkd()
  for (const given of ['', '<Environment', 'x'.repeat(100_000), ovfEnvironment({})]) {
    expect(await applied(given)).toMatch(/defaults hold|nothing has changed/)
    expect(await content('etc/hostname')).toBeUndefined()
    expect(await content('etc/systemd/network/05-appliance.network')).toBeUndefined()
  }
})

test('what has not changed is not applied again, what has is, and what is taken back goes', async () => {
  await networkd()
  await applied(all)
  await put('etc/hostname', 'changed-by-the-customer\n')
  expect(await applied(all)).toContain('nothing has changed')
  expect(await applied('')).toContain('nothing has changed')
  expect(await content('etc/hostname')).toBe('changed-by-the-customer\n')
  await applied({ ...all, address: 'dhcp', dns: '', search: '' })
  expect(await content('etc/systemd/network/05-appliance.network')).toBeUndefined()
})

test('a power cut before the mark: all of it again', async () => {
  await networkd()
  await applied(all)
  await rm(at('var/lib/appliance/settings.applied'))
  await rm(at('etc/systemd/network/05-appliance.network'))
  await applied(all)
  expect(await content('etc/systemd/network/05-appliance.network')).toContain('192.0.2.10/24')
})

test("what the appliance does not offer is not taken; the user's own is kept for first_boot scripts", async () => {
  await put(`${DEFAULTS}/admin`, '')
  await applied({
    admin: 'Ada "the <first>" & only\nwith two lines',
    root_password: 'x',
    '../../etc/passwd': 'x',
  })
  expect(await content('var/lib/appliance/properties/admin')).toBe('Ada "the <first>" & only\nwith two lines')
  expect((await stat(at('var/lib/appliance/properties/admin'))).mode & 0o077).toBe(0)
  expect(await content('var/lib/appliance/properties/root_password')).toBeUndefined()
  expect(await content('etc/passwd')).toBeUndefined()
})

test('from VMware’s tools the environment is taken as they give it', async () => {
  const own = agent.slice(0, agent.indexOf('# Writes each property'))
  await put('bin/environment', `${own}\nenvironment\n`)
  await put('env.xml', ovfEnvironment({ hostname: 'web' }))
  const tools = `#!/bin/sh
[ "$1 $2" = '--cmd info-get guestinfo.ovfEnv' ] && [ $# = 2 ] && cat '${at('env.xml')}'
`
  await put('bin/vmtoolsd', tools)
  await run('chmod', ['+x', at('bin/vmtoolsd')])
  const env = { PATH: `${at('bin')}:${process.env.PATH}` }
  const { stdout } = await run('sh', [at('bin/environment')], { env })
  expect(stdout).toBe(`${(await readFile(at('env.xml'), 'utf8')).trimEnd()}\n`)
})
