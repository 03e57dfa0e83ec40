import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { alignedStretches } from '../../../actions/lib/disk/extents.ts'
import { expandBraces, Pattern } from '../../../actions/lib/disk/pattern.ts'
import { common } from '../../../actions/ova-pack/free-space.ts'
import { operations, skippable, skippedFaults } from '../../../actions/ova-pack/generalise/operations.ts'

const all = operations({ hostname: 'license-server', mirrorUrls: ['http://mirror'], buildUser: 'vagrant' })
const edits = (path: string) =>
  all.flatMap(({ rules }) => rules).filter((rule) => rule.kind === 'edit' && rule.pattern === path)
const edited = (path: string, text: string) =>
  edits(path).reduce((current, rule) => (rule.kind === 'edit' ? rule.change(current) : current), text)

describe('patterns', () => {
  test.each([
    ['/etc/ssh/ssh_host_*', '/etc/ssh/ssh_host_rsa_key.pub', true],
    ['/etc/ssh/ssh_host_*', '/etc/ssh/sshd_config', false],
    ['/tmp/*', '/tmp/.hidden', true],
    ['/tmp/*', '/tmp/a/b', false],
    ['/var/log/**', '/var/log/a/b/c', true],
    ['/var/log/**/*.gz', '/var/log/syslog.2.gz', true],
    ['/var/log/**/*.gz', '/var/log/nginx/access.log.2.gz', true],
    ['/var/log/**/*.gz', '/var/log/gz', false],
    ['/var/log/**/*.[0-9]', '/var/log/dmesg.0', true],
    ['/etc/passwd-', '/etc/passwd', false],
    ['/a.b', '/axb', false],
  ])('%s and %s: %s', (pattern, path, matches) => {
    expect(new Pattern(pattern).matches(path)).toBe(matches)
  })

  test('only folders that may lead to a match are looked into', () => {
    const pattern = new Pattern('/var/lib/dhcp/*')
    expect(['/', '/var', '/var/lib', '/var/lib/dhcp'].map((f) => pattern.mayMatchBelow(f))).toEqual(
      Array(4).fill(true),
    )
    expect(['/etc', '/var/log', '/var/lib/dhcp/x'].map((f) => pattern.mayMatchBelow(f))).toEqual(
      Array(3).fill(false),
    )
  })

  test('braces may hold slashes and stand several times', () => {
    expect(expandBraces('/{a,b/c}/{d,}')).toEqual(['/a/d', '/a/', '/b/c/d', '/b/c/'])
  })
})

describe('operations', () => {
  test('no two have one name: the report tells them apart', () => {
    const names = all.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })

  test('docs/ova.md lists every name that pack.seal.skip takes, with its reason', () => {
    const table = /^\| operation \| why \|\n\|---\|---\|\n((?:\|.*\n)+)/m.exec(
      readFileSync('docs/ova.md', 'utf8'),
    )
    expect(table?.[1]).toBe(
      skippable()
        .map(({ name, reason }) => `| ${name} | ${reason} |\n`)
        .join(''),
    )
    expect(skippedFaults(skippable().map(({ name }) => name))).toEqual([])
  })

  test('what another key of the spec asks for is left out by that', () => {
    expect(skippedFaults(['root', 'settings on import', 'rooot']).map(({ message }) => message)).toEqual([
      'pack.seal.skip: root is done because of pack.root: leave that out',
      'pack.seal.skip: settings on import is done because of pack.settings and pack.properties: write settings: [], and no properties',
      'pack.seal.skip: unknown rooot',
    ])
  })

  test('the name in /etc/hosts becomes the appliance’s, the mirror’s line goes, the rest stays', () => {
    const before =
      '127.0.0.1\tlocalhost\n127.0.1.1\tbuilder.example builder\n10.77.0.1 mirror\n192.0.2.1 mirrors\n'
    const after = '127.0.0.1\tlocalhost\n127.0.1.1\tlicense-server\n192.0.2.1 mirrors\n'
    expect(edited('/etc/hosts', before)).toBe(after)
    expect(edited('/etc/hosts', after)).toBe(after)
  })

  test('a machine that could not resolve its own name can', () => {
    expect(edited('/etc/hosts', '127.0.0.1 localhost\n::1 localhost\n')).toBe(
      '127.0.0.1 localhost\n127.0.1.1\tlicense-server\n::1 localhost\n',
    )
  })

  test.each([
    ['a hash', 'vagrant:$y$j9T$z:19000::::::'],
    ['none, which lets everybody in', 'vagrant::19000::::::'],
    ['a hash that was locked only for now', 'vagrant:!$6$salt$hash:19000::::::'],
  ])('the build account’s password is locked, once; no other account is touched: %s', (_, line) => {
    const others = ['root:$y$j9T$x:19000::::::\n', '\nvagrant2:$y$a:1::::::\n']
    const after = others.join('vagrant:!:19000::::::')
    expect(edited('/etc/shadow', others.join(line))).toBe(after)
    expect(edited('/etc/shadow', after)).toBe(after)
  })

  test('the build account’s rights go, alone and in lists; those of others stay', () => {
    const before = `# vagrant ALL=(ALL) ALL
Defaults:vagrant !requiretty
root ALL=(ALL:ALL) ALL
vagrant ALL=(ALL) NOPASSWD: ALL
%vagrant ALL=NOPASSWD:ALL
ada, vagrant ALL=(ALL) ALL
vagrant ALL=(ALL) NOPASSWD: /bin/a, \\
  /bin/b
vagrant2 ALL=(ALL) ALL
`
    const after = `# vagrant ALL=(ALL) ALL
Defaults:vagrant !requiretty
root ALL=(ALL:ALL) ALL
ada ALL=(ALL) ALL
vagrant2 ALL=(ALL) ALL
`
    expect(edited('/etc/sudoers', before)).toBe(after)
    expect(edited('/etc/sudoers.d/*', after)).toBe(after)
  })

  test('the build account is no member of a group that becomes root', () => {
    expect(edited('/etc/group', 'sudo:x:27:ada,vagrant\naudio:x:29:vagrant\nvagrant:x:1000:\n')).toBe(
      'sudo:x:27:ada\naudio:x:29:vagrant\nvagrant:x:1000:\n',
    )
    expect(edited('/etc/gshadow', 'wheel:!:vagrant:vagrant\n')).toBe('wheel:!::\n')
  })

  test.each([
    [
      'by its MAC, in a block',
      'network:\n  version: 2 # of Ubuntu\n  ethernets:\n    lan:\n      match:\n        macaddress: "52:54:00:12:34:56"\n      set-name: lan\n      dhcp4: true\n',
      'network:\n  version: 2 # of Ubuntu\n  ethernets:\n    lan:\n      match:\n        name: e*\n      dhcp4: true\n',
    ],
    [
      'by its MAC, in one line',
      'network: { ethernets: { lan: { match: { macaddress: 52:54:00:12:34:56 }, dhcp4: true } } }\n',
      'network: { ethernets: { lan: { match: { name: e* }, dhcp4: true } } }\n',
    ],
    [
      'by the only name there is',
      'network:\n  ethernets:\n    ens3: { dhcp4: true }\n',
      'network:\n  ethernets:\n    ens3: { dhcp4: true, match: { name: e* } }\n',
    ],
  ])('netplan that knows the card %s has it be any card, once', (_, before, after) => {
    expect(edited('/etc/netplan/*.yaml', before)).toBe(after)
    expect(edited('/etc/netplan/*.yaml', after)).toBe(after)
  })

  test.each([
    'network:\n  ethernets:\n    ens160: { addresses: [192.0.2.1/24] }\n',
    'network:\n  ethernets:\n    front: { match: { name: "en*" } }\n',
    'network:\n  ethernets:\n    ens3: { dhcp4: true }\n    ens4: { dhcp4: true }\n',
    'network:  {version: 2}\n',
    'network: [\n',
  ])('other netplan is left to the letter: %j', (text) => {
    expect(edited('/etc/netplan/*.yaml', text)).toBe(text)
  })

  test('NetworkManager and networkd: the card’s address and the name that it gave go, the rest stays', () => {
    const keyfile = '/etc/NetworkManager/system-connections/*'
    const before =
      '[connection]\nid=x\ninterface-name=ens3\n[ethernet]\nmac-address=52:54:00:12:34:56\ncloned-mac-address=52:54:00:12:34:57\n'
    expect(edited(keyfile, before)).toBe('[connection]\nid=x\n[ethernet]\n')
    const own = '[connection]\ninterface-name=ens192\n[ethernet]\ncloned-mac-address=preserve\n'
    expect(edited(keyfile, own)).toBe(own)
    const file = '/etc/systemd/network/*.network'
    expect(
      edited(file, '[Match]\nPermanentMACAddress=52:54:00:12:34:56\n[Link]\nMACAddress=x\nMTUBytes=9000\n'),
    ).toBe('[Match]\nName=en* eth*\n[Link]\nMTUBytes=9000\n')
    const vlan = '[Match]\nMACAddress=52:54:00:12:34:56\nType=ether\n[Network]\nDHCP=yes\n'
    expect(edited(file, vlan)).toBe('[Match]\nType=ether\n[Network]\nDHCP=yes\n')
  })

  test('secrets of npm and Bundler go, where packages come from and go to stays', () => {
    const npm =
      'registry=https://r\n//r/:_authToken=npm_x\n_auth = eA==\n//r/:username=ada\n//r/:always-auth=true\n'
    expect(edited('~/.npmrc', npm)).toBe('registry=https://r\n//r/:always-auth=true\n')
    const bundler =
      'BUNDLE_BUILD__NOKOGIRI: "--use-system"\nBUNDLE_GITHUB__COM: "x:y"\nBUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/: "https://a:b@r/"\nBUNDLE_WITHOUT: "test"\n'
    expect(edited('~/.bundle/config', bundler)).toBe(
      'BUNDLE_BUILD__NOKOGIRI: "--use-system"\nBUNDLE_WITHOUT: "test"\n',
    )
  })

  test('another host whose name begins like the mirror’s is left alone', () => {
    const lines = 'deb http://mirror.example.com/debian x main\ndeb http://mirror/deb/debian appliance main\n'
    expect(edited('/etc/apt/sources.list', lines)).toBe('deb http://mirror.example.com/debian x main\n')
  })
})

describe('extents', () => {
  test('stretches are aligned, ascending, and each comes once', () => {
    const extents = [
      { start: 5, length: 2 },
      { start: 8, length: 1 },
      { start: 21, length: 30 },
    ]
    expect([...alignedStretches(extents, 10, 45)]).toEqual([
      { offset: 0, length: 10 },
      { offset: 20, length: 10 },
      { offset: 30, length: 10 },
      { offset: 40, length: 5 },
    ])
  })

  test('what two lists have in common', () => {
    const a = [
      { start: 0, length: 10 },
      { start: 20, length: 10 },
    ]
    const b = [
      { start: 5, length: 20 },
      { start: 29, length: 5 },
    ]
    expect(common(a, b)).toEqual([
      { start: 5, length: 5 },
      { start: 20, length: 5 },
      { start: 29, length: 1 },
    ])
  })
})
