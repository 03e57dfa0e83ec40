import { mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Ext4 } from '../../../actions/lib/disk/ext4.ts'
import { fileBytes } from '../../../actions/lib/files/bytes.ts'
import type { Lock } from '../../../actions/lib/lock/lock.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { installedOn } from '../../../actions/ova-pack/trust/installed.ts'
import { packagesCheck } from '../../../actions/ova-pack/trust/packages-check.ts'
import { differences, type Installed, partsOf } from '../../../actions/ova-pack/trust/parts.ts'
import { cycloneDx } from '../../../actions/ova-pack/trust/sbom.ts'
import { lockOf } from '../../fixtures/lock.ts'
import { endAgents, fileName, publishRpms, signingKey } from '../mirror-deps/rpm-upstream.ts'
import { type Files, ROOT, sampleDisk } from './sample-disk.ts'
import { PEM } from './sample-files.ts'
import { sealCopy } from './seal-copy.ts'

jest.setTimeout(120_000)

/** Of the package rubygem-version. */
const GEM = '/usr/share/gems/specifications/version-1.gemspec'
let folder: string
/** The database that rpm itself has made, by installing into a root. */
let database: Buffer

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ova-installed-'))
  const key = await signingKey(folder, 'small')
  const rpms = [
    { name: 'server', version: '2:1.4-3', arch: 'x86_64' as const },
    { name: 'server-doc', version: '1.4-3' },
    { name: 'examples', version: '1-1', text: PEM.trim(), license: 'GPLv2+ and MIT' },
    { name: 'rubygem-version', version: '1-1', path: GEM },
  ]
  await publishRpms(join(folder, 'repository'), rpms, key)
  await endAgents(key)
  const root = join(folder, 'root')
  await mkdir(root)
  const own = ['--root', root, '--define', '_dbpath /usr/lib/sysimage/rpm']
  await run('rpm', [...own, '--import', key.file])
  const files = rpms.map((rpm) => join(folder, 'repository/Packages', fileName(rpm)))
  await run('rpm', [...own, '--install', '--nodeps', ...files])
  database = await readFile(join(root, 'usr/lib/sysimage/rpm/rpmdb.sqlite'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function installed(name: string, files: Files): Promise<Installed[]> {
  const disk = await sampleDisk(join(folder, name), files)
  const scratch = join(folder, `${name}.scratch`)
  const root = new Ext4({ run }, disk, ROOT, scratch, new AbortController().signal)
  return await installedOn(root, { run }, scratch)
}

test.each(['/usr/lib/sysimage/rpm/rpmdb.sqlite', '/var/lib/rpm/rpmdb.sqlite'])(
  "a disk of RPMs says by rpm's own database, in %s, what is on it",
  async (path) => {
    const found = await installed(`${path.replaceAll('/', '-')}.raw`, { [path]: database })
    expect(found.sort((a, b) => a.name.localeCompare(b.name))).toEqual([
      { kind: 'rpm', name: 'examples', version: '1-1', arch: 'noarch', license: 'GPLv2+ and MIT' },
      { kind: 'rpm', name: 'rubygem-version', version: '1-1', arch: 'noarch', license: 'MIT' },
      { kind: 'rpm', name: 'server', version: '2:1.4-3', arch: 'x86_64', license: 'MIT' },
      { kind: 'rpm', name: 'server-doc', version: '1.4-3', arch: 'noarch', license: 'MIT' },
    ])
  },
)

test('gems are found wherever rbenv, Bundler and RubyGems put them; those of packages are named with these', async () => {
  const specification = (...words: string[]) =>
    `Gem::Specification.new do |s|\n  s.licenses = [${words.map((word) => `"${word}".freeze`).join(', ')}]\nend\n`
  const path = '/usr/lib/ruby/gems/3.1.0/specifications/rexml-3.2.5.gemspec'
  const found = await installed('gems.raw', {
    '/opt/rbenv/versions/3.3.0/lib/ruby/gems/3.3.0/specifications/rack-3.1.0.gemspec': specification('MIT'),
    '/opt/rbenv/versions/3.3.0/lib/ruby/gems/3.3.0/specifications/default/json-2.7.gemspec': specification(),
    '/usr/local/share/gems/specifications/nokogiri-1.16.0-x86_64-linux.gemspec': specification('MIT', 'Ruby'),
    '/root/.local/share/gem/ruby/3.3.0/specifications/own-1.gemspec': specification("Nobody's business"),
    [path]: specification('BSD-2-Clause'),
    '/usr/lib/ruby/gems/3.1.0/specifications/by-hand-1.0.gemspec': specification(),
    '/usr/share/rubygems-integration/all/specifications/rack-3.1.0.gemspec': specification('MIT'),
    '/var/lib/dpkg/info/libruby3.1:amd64.list': `/.\n${path}\n`,
    '/var/lib/dpkg/info/ruby-rack.list':
      '/usr/share/rubygems-integration/all/specifications/rack-3.1.0.gemspec\n',
  })
  const gem = (name: string, version: string) => ({ kind: 'gem', name, version })
  expect(found.sort((a, b) => a.name.localeCompare(b.name))).toEqual([
    gem('by-hand', '1.0'),
    { ...gem('nokogiri', '1.16.0'), arch: 'x86_64-linux', license: 'MIT OR Ruby' },
    { ...gem('own', '1'), license: "Nobody's-business" },
    { ...gem('rack', '3.1.0'), license: 'MIT' },
    { ...gem('rexml', '3.2.5'), license: 'BSD-2-Clause', within: 'deb libruby3.1' },
  ])
})

test('a gem that an RPM brought is named with it', async () => {
  const found = await installed('rpm-gem.raw', { '/usr/lib/sysimage/rpm/rpmdb.sqlite': database, [GEM]: '' })
  expect(found.filter(({ kind }) => kind === 'gem')).toEqual([
    { kind: 'gem', name: 'version', version: '1', within: 'rpm rubygem-version' },
  ])
})

test('a gem that is locked, and that a package brought, is not the one of the lock', () => {
  const gem = { kind: 'gem' as const, name: 'pg', version: '1.4.5', within: 'deb ruby-pg' }
  const locked = { name: 'pg', version: '1.4.5', platform: 'ruby', license: 'BSD-2-Clause', sha256: 'a' }
  const sources = [{ name: 'app', for: 'guest' as const, source: 'https://x.test', gems: [locked] }]
  const parts = partsOf(lockOf({ gem: sources as unknown as Lock['gem'] }), [gem, { ...gem, name: 'rexml' }])
  expect(parts.map(({ name, found, within }) => [name, found, within])).toEqual([
    ['pg', false, 'deb ruby-pg'],
    ['rexml', true, 'deb ruby-pg'],
  ])
  expect(differences(parts)).toEqual({ notInstalled: ['gem pg 1.4.5 (deb ruby-pg has it)'], notLocked: [] })
})

test.each([
  ['as it was, is left', PEM, ['as its package shipped it']],
  ['changed, is refused', PEM.replace('MIIE', 'MIIF'), undefined],
])('a private key that an RPM package ships: %s', async (name, content, expected) => {
  const path = '/usr/share/examples/version'
  const from = await sampleDisk(join(folder, `${name}.raw`), {
    '/etc/passwd': 'root:x:0:0::/root:/bin/sh\n',
    '/usr/lib/sysimage/rpm/rpmdb.sqlite': database,
    [path]: content,
  })
  const sealing = sealCopy(from, { folder, name: `${name}.sealed.raw`, tools: { run }, needles: [] })
  if (expected) expect((await sealing).report.tolerated.map(({ tolerated }) => tolerated)).toEqual(expected)
  else await expect(sealing).rejects.toThrow(`a private key in ${path}`)
})

describe('appliance verify, of a disk of RPMs', () => {
  let disk: string
  let sbom: string
  beforeAll(async () => {
    const files = { '/etc/hostname': 'x', '/usr/lib/os-release': 'ID="rocky"\nVERSION_ID="9.4"\n' }
    const own = '/usr/lib/sysimage/rpm/rpmdb.sqlite'
    const found = await installed('verified.raw', { ...files, [own]: database })
    disk = join(folder, 'verified.raw')
    const os = { id: 'rocky', version: '9.4' }
    const facts = { name: 'x', version: '1', vendor: undefined, disk: '', os }
    sbom = cycloneDx({ ...facts, parts: partsOf(undefined, found) })
  })
  const checked = async (cdx: string) => {
    await using file = await open(disk)
    const bytes = fileBytes(file, 0, (await file.stat()).size)
    return await packagesCheck(cdx, bytes, new AbortController().signal)
  }

  test('its packages are those of the SBOM', async () => {
    expect(sbom).toContain('pkg:rpm/rocky/server@1.4-3?arch=x86_64&distro=rocky-9.4&epoch=2')
    expect(await checked(sbom)).toEqual({ title: 'packages on the disk', says: '4, as the SBOM says' })
  })

  test('a package that the SBOM does not have is named', async () => {
    expect((await checked(sbom.replaceAll('server-doc', 'client-doc'))).fault).toBe(
      'server-doc 1.4-3 is not in the SBOM; client-doc 1.4-3 is not on the disk',
    )
  })

  test('where there is no rpm to ask, it says so, and that is no fault', async () => {
    const path = process.env.PATH
    process.env.PATH = folder
    try {
      expect(await checked(sbom)).toEqual({
        title: 'packages on the disk',
        says: expect.stringMatching(/^not looked at: .* rpm is not installed here$/),
      })
    } finally {
      process.env.PATH = path
    }
  })
})
