import { mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Ext4 } from '../../../actions/lib/disk/ext4.ts'
import { fileBytes } from '../../../actions/lib/files/bytes.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { installedOn } from '../../../actions/ova-pack/trust/installed.ts'
import { packagesCheck } from '../../../actions/ova-pack/trust/packages-check.ts'
import { type Installed, partsOf } from '../../../actions/ova-pack/trust/parts.ts'
import { cycloneDx } from '../../../actions/ova-pack/trust/sbom.ts'
import { endAgents, fileName, publishRpms, signingKey } from '../mirror-deps/rpm-upstream.ts'
import { type Files, ROOT, sampleDisk } from './sample-disk.ts'
import { PEM } from './sample-files.ts'
import { sealCopy } from './seal-copy.ts'

jest.setTimeout(120_000)

let folder: string
/** The database that rpm itself has made, by installing into a root. */
let database: Buffer

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ova-installed-'))
  const key = await signingKey(folder, 'small')
  const rpms = [
    { name: 'server', version: '2:1.4-3', arch: 'x86_64' as const },
    { name: 'server-doc', version: '1.4-3' },
    { name: 'examples', version: '1-1', text: PEM.trim() },
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
      { kind: 'rpm', name: 'examples', version: '1-1', arch: 'noarch' },
      { kind: 'rpm', name: 'server', version: '2:1.4-3', arch: 'x86_64' },
      { kind: 'rpm', name: 'server-doc', version: '1.4-3', arch: 'noarch' },
    ])
  },
)

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
    expect(await checked(sbom)).toEqual({ title: 'packages on the disk', says: '3, as the SBOM says' })
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
