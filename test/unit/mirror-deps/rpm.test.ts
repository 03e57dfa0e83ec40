import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { LockedRpmRepository } from '../../../actions/lib/lock/lock.ts'
import { rpmStanzas } from '../../../actions/lib/mirror/rpm-stanza.ts'
import { readSpec } from '../../../actions/lib/spec/read.ts'
import { enabledModules } from '../../../actions/mirror-deps/rpm/modules.ts'
import { parseMetalink, parseMirrorlist, parseRepomd } from '../../../actions/mirror-deps/rpm/repomd.ts'
import { wantedOfRpmRepository } from '../../../actions/mirror-deps/rpm/source.ts'
import { rpmInTree } from '../../../actions/mirror-deps/rpm/tree.ts'
import { addressOf, filledIn, relativeTo } from '../../../actions/mirror-deps/rpm/upstream.ts'

describe('the spec', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'appliance-rpm-'))
    for (const name of ['KEY', 'debian.gpg']) await writeFile(join(folder, name), '')
  })
  afterEach(() => rm(folder, { recursive: true }))

  const read = async (...entries: string[]) => {
    const lines = entries.map((entry) => `    - { gpgkey: KEY, ${entry} }\n`)
    const spec = `name: product\nversion: "1"\ntools: { signed_by: debian.gpg }\nmirror:\n  rpm:\n${lines.join('')}`
    await writeFile(join(folder, 'appliance.yml'), spec)
    return await readSpec(join(folder, 'appliance.yml'))
  }
  const faults = async (...entries: string[]) => {
    const error = await read(...entries).catch((thrown: Error) => thrown)
    return error instanceof Error ? error.message.split('\n') : []
  }

  test('names groups as people do, and says the release once', async () => {
    const { mirror } = await read(
      'name: baseos, baseurl: "https://mirror.example/$releasever/os", groups: [core, "@base", "@^minimal"]',
      'name: appstream, mirrorlist: "https://mirror.example/?arch=$basearch", modules: ["nodejs:18"], releasever: "9"',
    )
    expect(mirror.rpm).toMatchObject([
      { groups: ['core', 'base', 'minimal'], packages: [], weak: false },
      { modules: ['nodejs:18'], releasever: '9' },
    ])
  })

  const cases: [string, string[], string[]][] = [
    [
      'no address, or two',
      ['name: a', 'name: b, baseurl: "https://a.example", metalink: "https://b.example"'],
      [
        'appliance.yml:6:7: mirror.rpm[1]: give exactly one of baseurl:, mirrorlist: and metalink:',
        'appliance.yml:7:7: mirror.rpm[2]: give exactly one of baseurl:, mirrorlist: and metalink:',
      ],
    ],
    [
      'two releases',
      [
        'name: a, baseurl: "https://a.example", releasever: "9"',
        'name: b, baseurl: "https://b.example", releasever: "8"',
      ],
      [
        expect.stringMatching(/^appliance.yml:7:\d+: mirror.rpm\[2\].releasever is 8 here, and 9 for a$/),
      ] as never,
    ],
    [
      'a release that is needed and not said',
      ['name: a, baseurl: "https://a.example/$releasever"'],
      [
        'appliance.yml:6:7: mirror.rpm[1]: its address has $releasever: write the guest’s, e.g. releasever: "9"',
      ],
    ],
    [
      'a variable that only some distribution knows, and a stream without its module',
      ['name: a, mirrorlist: "https://a.example/?repo=$rltype", modules: [nodejs]'],
      [
        expect.stringMatching(
          /mirrorlist: \$rltype is not known here: \$releasever, \$basearch and \$arch are filled in/,
        ),
        expect.stringMatching(/modules\[1\]: expected a module stream, e.g. nodejs:18; got "nodejs"/),
      ] as never,
    ],
  ]
  test.each(cases)('%s', async (_, entries, expected) => expect(await faults(...entries)).toEqual(expected))
})

describe('what upstream publishes', () => {
  const sum = 'a'.repeat(64)
  const data = (type: string, checksum = 'sha256', time = '1700000000') =>
    `<data type="${type}"><checksum type="${checksum}">${sum}</checksum><location href="repodata/${type}.xml.gz"/><timestamp>${time}</timestamp><size>12</size></data>`
  const repomd = (revision: string, ...all: string[]) =>
    `<?xml version="1.0"?><repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm"><revision>${revision}</revision>${all.join('')}</repomd>`

  test('repomd.xml: its files and its time, also where the revision is no time', () => {
    expect(parseRepomd(repomd('1790000000', data('primary'), data('group', 'sha')))).toEqual({
      revised: 1790000000,
      files: [
        {
          type: 'primary',
          href: 'repodata/primary.xml.gz',
          checksum: { type: 'sha256', hex: sum },
          size: 12,
        },
        { type: 'group', href: 'repodata/group.xml.gz', checksum: { type: 'sha1', hex: sum }, size: 12 },
      ],
    })
    const nine = repomd(
      '9.4',
      data('primary', 'sha256', '1700000000.5'),
      data('other', 'sha256', '1700000007'),
    )
    expect(parseRepomd(nine).revised).toBe(1700000007)
    expect(() => parseRepomd(repomd('1', data('other')))).toThrow('no primary index')
    expect(() => parseRepomd('<html><p>Log in</html>')).toThrow()
    expect(() => parseRepomd('')).toThrow()
  })

  test('a Metalink: by preference, https first, with the digests of this generation and of those before', () => {
    const url = (address: string, preference: number) =>
      `<url protocol="http" preference="${preference}">${address}</url>`
    const hashes = (digit: string) =>
      `<verification><hash type="sha256">${digit.repeat(64)}</hash><hash type="sha512">${digit.repeat(128)}</hash></verification>`
    const text = `<metalink version="3.0" xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager"><files><file name="repomd.xml">
      <mm0:alternates><mm0:alternate>${hashes('b')}</mm0:alternate></mm0:alternates>${hashes('a')}
      <resources>${url('http://one.example/x/repodata/repomd.xml', 100)}${url('https://two.example/a&amp;b/repodata/repomd.xml', 99)}
      ${url('https://three.example/repodata/repomd.xml', 98)}${url('rsync://four.example/repodata/repomd.xml', 97)}</resources></file></files></metalink>`
    expect(parseMetalink(text)).toEqual({
      addresses: ['https://two.example/a&b/', 'https://three.example/', 'http://one.example/x/'],
      repomd: ['a', 'b'].map((digit) => ({ type: 'sha512', hex: digit.repeat(128) })),
    })
    expect(() => parseMetalink(text.replace(/<verification>.*?<\/verification>/g, ''))).toThrow('no SHA-256')
    expect(() => parseMetalink('# Bad repo')).toThrow()
  })

  test('a mirrorlist: addresses, and nothing else', () => {
    expect(
      parseMirrorlist(
        '# repo = x\nhttps://one.example/os\n\nftp://two.example/os/\nhttp://three.example/os/\n',
      ),
    ).toEqual({
      addresses: ['https://one.example/os/', 'http://three.example/os/'],
      repomd: [],
    })
  })

  test('variables in addresses', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: that is how dnf writes them
    const url = 'https://m.example/$releasever/${basearch}/$arch/$basearchive'
    expect(filledIn(url, { releasever: '9' })).toBe('https://m.example/9/x86_64/x86_64/$basearchive')
  })
})

describe('addresses of packages', () => {
  const base = 'https://m.example/os/'
  test.each([
    [
      'Packages/g/gcc-c++-1^2~3.rpm',
      'Packages/g/gcc-c++-1^2~3.rpm',
      `${base}Packages/g/gcc-c%2B%2B-1%5E2~3.rpm`,
    ],
    ['a%20b%23.rpm', 'a b#.rpm', `${base}a%20b%23.rpm`],
    ['./x.rpm', 'x.rpm', `${base}x.rpm`],
    ['../shared/x.rpm', 'https://m.example/shared/x.rpm', 'https://m.example/shared/x.rpm'],
    ['https://other.example/x.rpm', 'https://other.example/x.rpm', 'https://other.example/x.rpm'],
  ])('%s', (href, path, url) => {
    expect(relativeTo(base, href)).toBe(path)
    expect(addressOf(base, path)).toBe(url)
  })

  test.each(['a/%2e%2e%2fb', 'a%2f..%2fb', 'a//b'])('%s leads nowhere', (href) => {
    expect(() => relativeTo(base, href)).toThrow('outside of itself')
  })

  test('in the tree they lie by their first letter', () => {
    expect(rpmInTree({ path: 'deep/Down/Xorg.rpm' })).toBe('Packages/x/Xorg.rpm')
    expect(rpmInTree({ path: 'https://other.example/a%20b.rpm' })).toBe('Packages/a/a b.rpm')
  })
})

const locked: LockedRpmRepository = {
  name: 'baseos',
  baseurl: 'https://m.example/os/',
  mirrors: ['https://n.example/'],
  snapshot: 'https://old.example/{timestamp}',
  timestamp: '20261118T110640Z',
  evidence: [
    { path: 'repodata/repomd.xml', sha256: 'a'.repeat(64), size: 1 },
    { path: 'keys/RPM KEY', sha256: 'b'.repeat(64), size: 2 },
  ],
  modules: [],
  groups: [],
  packages: [
    {
      name: 'bash',
      version: '5.1-2',
      arch: 'x86_64',
      path: 'Packages/bash.rpm',
      license: 'GPL',
      sha256: 'c'.repeat(64),
      size: 3,
    },
  ],
}

test('a repository is wanted from where it was found, its mirrors, its snapshots; the key is the project’s own', () => {
  const wanted = wantedOfRpmRepository(locked, [{ name: 'baseos', gpgkey: '/project/RPM KEY' }])
  expect(wanted.map(({ title, urls, evidence = false }) => [title, urls, evidence])).toEqual([
    [
      'rpm bash 5.1-2 x86_64 of baseos',
      ['https://m.example/os/', 'https://n.example/', 'https://old.example/20261118T110640Z/'].map(
        (at) => `${at}Packages/bash.rpm`,
      ),
      false,
    ],
    [
      'repodata/repomd.xml of rpm baseos',
      ['https://m.example/os/', 'https://n.example/', 'https://old.example/20261118T110640Z/'].map(
        (at) => `${at}repodata/repomd.xml`,
      ),
      true,
    ],
    ['keys/RPM KEY of rpm baseos', ['file:///project/RPM%20KEY'], false],
  ])
})

test('dnf is told of the mirror with upstream’s key', () => {
  expect(rpmStanzas([locked], 'http://mirror.internal')).toBe(`[baseos]
name=baseos
baseurl=http://mirror.internal/rpm/baseos/
enabled=1
gpgcheck=1
repo_gpgcheck=0
gpgkey=http://mirror.internal/rpm/baseos/keys/RPM%20KEY
`)
})

describe('module streams', () => {
  const modulemd = (stream: string, version: string, rpms: string[]) => `---
document: modulemd
version: 2
data: # as upstream wrote it
  name: php
  stream: ${stream}
  version: ${version}
  artifacts:
    rpms:
${rpms.map((rpm) => `    - ${rpm}\n`).join('')}...
`
  const text = `${modulemd('8.10', '80', ['php-0:8.10.0-1.x86_64'])}${modulemd('8.10', '90', ['php-0:8.10.1-1.x86_64'])}${modulemd('8.1', '1', ['php-0:8.1-1.x86_64'])}---
document: modulemd-defaults
version: 1
data:
  module: php
  stream: 8.1
  profiles: { 8.10: [common, minimal] }
...
`
  test('those enabled, in the version that has the packages, word for word, and the default', () => {
    const kept = enabledModules(text, ['php:8.10'], new Set(['php-0:8.10.0-1.x86_64']))
    expect(kept).toBe(`${modulemd('8.10', '80', ['php-0:8.10.0-1.x86_64'])}---
document: modulemd-defaults
version: 1
data:
  module: "php"
  stream: "8.10"
  profiles:
    "8.10": ["common", "minimal"]
...
`)
  })

  test('one that has none of the packages, in its newest version; one that is not there, not at all', () => {
    expect(enabledModules(text, ['php:8.10', 'php:7'], new Set())).toContain('version: 90')
    expect(enabledModules(text, ['php:8.10', 'php:7'], new Set())).not.toMatch(/version: 80|stream: "?7/)
    expect(enabledModules('', ['php:7'], new Set())).toBe('')
  })
})
