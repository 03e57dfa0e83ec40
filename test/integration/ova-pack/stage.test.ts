import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { sha256, sha256File } from '../../../actions/lib/files/digest.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { readSpec } from '../../../actions/lib/spec/read.ts'
import { type Execution, execute } from '../../../actions/lib/stage/execute.ts'
import { firstNotIntact, writeRecord } from '../../../actions/lib/stage/record.ts'
import type { Project } from '../../../actions/lib/stage/stage.ts'
import { toolsKey } from '../../../actions/lib/tools/root.ts'
import { ovaPack } from '../../../actions/ova-pack/stage.ts'
import type { Check } from '../../../actions/ova-pack/trust/check.ts'
import { verifyOva } from '../../../actions/ova-pack/trust/verify.ts'
import { lockOf } from '../../fixtures/lock.ts'
import { quietLog } from './quiet-log.ts'
import { debugfs, sampleDisk, withBootCode } from './sample-disk.ts'
import { PEM } from './sample-files.ts'
import { signingKey } from './specimen.ts'

jest.setTimeout(120_000)

const SPEC = `name: sample
version: 1.2.3
product: { title: Sample, vendor: Example Ltd }
secrets: { admin: env:OVA_PACK_TEST_SECRET }
mirror: { deb: [{ name: debian, uri: https://deb.example.test/debian, suites: [bookworm] }] }
basebox: { definition: base, strategy: bootstrap, disk: 64 MiB }
pack:
  formats: [ova, qcow2, vmdk, vhdx, raw.zst, box]
  hardware: { memory: 2 GiB, disk: 96 MiB }
  eula: EULA.txt
  seal: { skip: [mail, journals] }
  sign: { key: env:OVA_PACK_TEST_KEY, certificate: certificate.pem }
`
const DEFINITION = "Veewee::Definition.declare({ :ssh_user => 'vagrant', :ssh_password => 'vagrant' })\n"
const nothing = { uri: '', suites: [], components: [], timestamp: '', evidence: [] }
function lockedDeb(name: string, version: string, license: string) {
  const path = `pool/${name}_${version}_amd64.deb`
  return { name, version, arch: 'amd64', path, license, size: 1, sha256: sha256(name) }
}
const lock = lockOf({
  deb: [
    {
      ...{ name: 'debian', uri: 'https://deb.example.test/debian', suites: [], components: [] },
      ...{ timestamp: '', evidence: [] },
      packages: [
        lockedDeb('nginx', '1.2-3', 'BSD-2-Clause'),
        lockedDeb('postgresql', '15', 'PostgreSQL licence'),
      ],
    },
  ],
  tools: { deb: [{ name: 'debian', ...nothing, packages: [] }], gem: [] },
})

let project: Project
let disk: string

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ova-stage-'))
  const specFile = join(directory, 'appliance.yml')
  await writeFile(specFile, SPEC)
  await writeFile(join(directory, 'EULA.txt'), 'Be nice.\n')
  await mkdir(join(directory, 'base'))
  await writeFile(join(directory, 'base/definition.rb'), DEFINITION)
  const signing = await signingKey(directory)
  process.env.OVA_PACK_TEST_KEY = await readFile(signing.key, 'utf8')
  const buildDirectory = join(directory, 'build')
  project = {
    directory,
    specFile,
    spec: await readSpec(specFile, {}),
    buildDirectory,
    lockFile: join(directory, 'appliance.lock.json'),
    lock,
  }
  await writeFile(project.lockFile, JSON.stringify(lock))
  // This computer itself is the tools root: its e2fsprogs run through its own loader.
  const tools = join(buildDirectory, 'tools', toolsKey(lock).slice(0, 16))
  await mkdir(tools, { recursive: true })
  await symlink('/', join(tools, 'root'))
  const provisioned = join(buildDirectory, 'chef-provision')
  await mkdir(provisioned)
  const raw = await sampleDisk(join(directory, 'disk.raw'), {
    '/etc/passwd':
      'root:x:0:0::/root:/bin/sh\nvagrant:x:1000:1000::/home/vagrant:/bin/bash\nada:x:1001:1001::/home/ada:/bin/bash\n',
    '/etc/shadow': 'root:*:1::::::\nvagrant:$6$vagrant$hash:1::::::\nada:$6$ada$hash:1::::::\n',
    '/etc/group': 'sudo:x:27:ada,vagrant\n',
    '/etc/sudoers': '%sudo ALL=(ALL:ALL) ALL\n',
    '/etc/sudoers.d/vagrant': 'vagrant ALL=(ALL) NOPASSWD: ALL\n',
    '/etc/hostname': 'builder\n',
    '/usr/lib/os-release': 'ID=debian\n',
    '/var/log/syslog': 'line\n',
    '/var/lib/dpkg/status':
      'Package: nginx\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.2-3\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: stray\nStatus: install ok installed\nArchitecture: all\nVersion: 9\n',
    '/usr/share/doc/stray/copyright':
      'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: Expat\n',
    '/srv/app/vendor/ruby/3.1.0/specifications/sinatra-3.0.5.gemspec': '  s.licenses = ["MIT".freeze]\n',
  })
  await withBootCode(raw)
  disk = join(provisioned, 'provisioned.qcow2')
  await run('qemu-img', ['convert', '-O', 'qcow2', raw, disk])
  await writeRecord(
    provisioned,
    'chef-provision',
    {},
    { outputs: { disk: { path: disk } }, tools: { qemu: '7.2' } },
  )
})
afterAll(() => rm(project.directory, { recursive: true, force: true }))

/** What vm-validate leaves behind after judging a disk. */
async function judged(verdict: string, diskSha256: string): Promise<void> {
  const folder = join(project.buildDirectory, 'vm-validate')
  await mkdir(folder, { recursive: true })
  const outputs = { verdict: { value: verdict }, 'disk-sha256': { value: diskSha256 } }
  await writeRecord(folder, 'vm-validate', {}, { outputs, tools: {} })
}

function packed(inputs: { disk?: string; unvalidated?: boolean } = {}): Promise<Execution> {
  const given = { disk: inputs.disk, unvalidated: inputs.unvalidated ?? false }
  return execute({ ...ovaPack, place: 'host' }, project, given, options())
}

function options() {
  return {
    log: quietLog(),
    signal: new AbortController().signal,
    verify: false,
    inside: () => Promise.reject(new Error('not here')),
  }
}

test('a disk that vm-validate has not passed is refused, and nothing is packed', async () => {
  await expect(packed()).rejects.toMatchObject({ code: 'unvalidated' })
  await judged('failed', await sha256File(disk))
  await expect(packed()).rejects.toMatchObject({ code: 'unvalidated' })
  await judged('passed', 'f'.repeat(64))
  await expect(packed()).rejects.toMatchObject({ code: 'unvalidated' })
  expect(await readdir(join(project.buildDirectory, 'ova-pack'))).toEqual([])
})

test('a validated disk becomes an OVA, a qcow2 and a report that agree with one another', async () => {
  await judged('passed', await sha256File(disk))
  const { outputs, folder } = await packed()
  const ova = outputs.path('ova')
  expect(ova).toBe(join(folder, 'sample-1.2.3.ova'))
  expect(await sha256File(ova)).toBe(outputs.value('ova-sha256'))
  const files = JSON.parse(outputs.value('files')) as { name: string; path: string; sha256: string }[]
  expect(files.map(({ path }) => path)).toEqual(
    [
      'sample-1.2.3.ova',
      'sample-1.2.3.qcow2',
      'sample-1.2.3.vmdk',
      'sample-1.2.3.vhdx',
      'sample-1.2.3.raw.zst',
      'sample-1.2.3.box',
      'sample-1.2.3.cdx.json',
      'sample-1.2.3.spdx.json',
      'sample-1.2.3.provenance.json',
      'certificate.pem',
      'SHA256SUMS',
      'SHA256SUMS.sig',
      'README.txt',
    ].map((name) => `build/ova-pack/${name}`),
  )
  for (const { path, sha256 } of files) expect(await sha256File(join(project.directory, path))).toBe(sha256)

  await run('tar', ['-C', folder, '-xf', ova])
  const vmdk = join(folder, 'sample-1.2.3-disk1.vmdk')
  await run('qemu-img', ['compare', '-f', 'vmdk', '-F', 'qcow2', vmdk, join(folder, 'sample-1.2.3.qcow2')])
  const ovf = await readFile(join(folder, 'sample-1.2.3.ovf'), 'utf8')
  expect(ovf).toContain('<License>Be nice.\n</License>')
  expect(ovf).toContain('ovf:capacity="96"')
  expect(ovf).toContain('<rasd:ElementName>2048 MiB of memory</rasd:ElementName>')
  expect(await readFile(outputs.path('report'), 'utf8')).toContain('has a passing verdict')
  await run('qemu-img', ['convert', '-O', 'raw', vmdk, join(project.directory, 'back.raw')])
  const report = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8'))
  expect(report.disk.sha256).toBe(await sha256File(join(project.directory, 'back.raw')))
})

test('the definition’s user is let in no more, and the report says who is', async () => {
  const { outputs, folder } = await packed()
  const raw = join(project.directory, 'sealed.raw')
  await run('qemu-img', ['convert', '-O', 'raw', join(folder, 'sample-1.2.3.qcow2'), raw])
  expect(await debugfs(raw, 'cat /etc/shadow')).toBe(
    'root:*:1::::::\nvagrant:!:1::::::\nada:$6$ada$hash:1::::::\n',
  )
  expect(await debugfs(raw, 'cat /etc/group')).toBe('sudo:x:27:ada\n')
  expect(await debugfs(raw, 'stat /etc/sudoers.d/vagrant')).toContain('File not found')
  expect((await readFile(raw)).includes('$6$vagrant')).toBe(false)
  const report = await readFile(outputs.path('report'), 'utf8')
  expect(report).toContain(`
| account | password | SSH keys | sudo |
|---|---|---|---|
| root | no | no |  |
| ada | yes | no | asks for its password |
`)
  expect(report).toContain('**Left out**, as `pack.seal.skip` says: mail, journals.\n')
})

test('packing again is up to date; by force it gives the same bytes, of every format', async () => {
  const before = (await packed()).outputs.value('files')
  expect((await packed()).state).toBe('up-to-date')
  await rm(join(project.buildDirectory, 'ova-pack', 'sample-1.2.3.ova'))
  const again = await packed()
  expect([again.state, again.outputs.value('files')]).toEqual(['done', before])
})

test('every file that was packed is watched, not only the OVA', async () => {
  const { folder, record } = await packed()
  const intact = () => firstNotIntact(folder, record, false)
  expect(await intact()).toBeUndefined()
  const listed = JSON.parse((record.outputs.files as { value: string }).value) as { name: string }[]
  const names = [...listed.map(({ name }) => name), 'report.md', 'report.json']
  expect(names).toHaveLength(15)
  for (const name of names) {
    const path = join(folder, name)
    await rename(path, `${path}.away`)
    expect([name, (await intact()) !== undefined]).toEqual([name, true])
    await rename(`${path}.away`, path)
  }
  const signature = join(folder, 'SHA256SUMS.sig')
  await flip(signature, 7)
  expect(await intact()).toBe('SHA256SUMS.sig')
  await flip(signature, 7)
  expect(await intact()).toBeUndefined()
})

test('a user who insists gets an unvalidated disk packed, and the report says so', async () => {
  await judged('failed', await sha256File(disk))
  const { outputs } = await packed({ unvalidated: true })
  expect(await readFile(outputs.path('report'), 'utf8')).toContain('packed without a passing verdict')
})

test('a secret of the spec on the disk is refused by its name, never shown', async () => {
  process.env.OVA_PACK_TEST_SECRET = 'correct horse battery'
  try {
    const raw = await sampleDisk(join(project.directory, 'secret.raw'), {
      '/etc/passwd': 'root:x:0:0::/root:/bin/sh\n',
      '/srv/settings': 'password = correct horse battery\n',
    })
    const qcow2 = join(project.directory, 'secret.qcow2')
    await run('qemu-img', ['convert', '-O', 'qcow2', raw, qcow2])
    const attempt = packed({ disk: qcow2, unvalidated: true })
    await expect(attempt).rejects.toMatchObject({
      code: 'check-failed',
      message: expect.stringContaining('the secret admin in /srv/settings'),
    })
    await expect(attempt).rejects.not.toMatchObject({ message: expect.stringContaining('horse') })
  } finally {
    delete process.env.OVA_PACK_TEST_SECRET
  }
})

describe('what is searched for secrets', () => {
  /** Packs a sample with a data disk of this content as its only other thing. */
  async function withDataDisk(content: string, allow = '') {
    await writeFile(join(project.directory, 'data.raw'), content)
    await writeFile(
      join(project.directory, 'data.yml'),
      SPEC.replace('disk: 96 MiB }', 'disk: 96 MiB, data_disks: [{ file: data.raw }] }')
        .replace(/ {2}seal: .*\n/, '')
        .replace(
          'formats: [ova, qcow2, vmdk, vhdx, raw.zst, box]',
          `formats: [ova]\n  root: { password: env:OVA_PACK_TEST_SHORT }\n  ${allow}`,
        ),
    )
    const spec = await readSpec(join(project.directory, 'data.yml'), {})
    const folder = join(project.buildDirectory, 'ova-pack')
    const stage = { ...ovaPack, place: 'host' as const }
    await execute(stage, { ...project, spec }, { disk: undefined, unvalidated: true }, options())
    return JSON.parse(await readFile(join(folder, 'report.json'), 'utf8'))
  }
  const key = `x\n${PEM}`
  beforeAll(() => {
    process.env.OVA_PACK_TEST_SHORT = 'tiger'
    process.env.OVA_PACK_TEST_SECRET = 'correct horse battery'
  })
  afterAll(() => {
    delete process.env.OVA_PACK_TEST_SHORT
    delete process.env.OVA_PACK_TEST_SECRET
  })

  test('data disks are, and what is on them is named', async () => {
    await expect(withDataDisk(key)).rejects.toThrow('a private key in data.raw')
    await expect(withDataDisk('x correct horse battery')).rejects.toThrow('the secret admin in data.raw')
  })

  test('the spec may say why a key stays, and the report repeats it, beside what was not looked for', async () => {
    const report = await withDataDisk(
      key,
      'seal: { allow: [{ path: data.raw, reason: The demo of everybody }] }',
    )
    expect(report.seal.tolerated).toEqual([
      {
        name: 'a private key',
        offset: expect.any(Number),
        place: 'data.raw',
        tolerated: 'allowed by the spec: The demo of everybody',
      },
    ])
    const ova = join(project.buildDirectory, 'ova-pack', 'sample-1.2.3.ova')
    const verified = async () =>
      (await verifyOva(ova, { log: quietLog(), signal: new AbortController().signal })).find(
        ({ title }) => title === 'disk 2, every grain',
      )
    expect(await verified()).toEqual({ title: 'disk 2, every grain' })
    const { stdout } = await run('tar', ['-tRf', ova])
    const second = (Number(/block (\d+): .*-disk2/.exec(stdout)![1]) + 1) * 512
    await flip(ova, second + 128 * 512 + 40)
    expect((await verified())?.fault).toContain('sample-1.2.3-disk2.vmdk: vmdk-')
    expect(report.unsearched).toEqual(['pack.root.password: OVA_PACK_TEST_SHORT has fewer than 8 characters'])
    const allowed = 'seal: { allow: [{ path: data.raw, reason: No secret of the spec is }] }'
    await expect(withDataDisk('x correct horse battery', allowed)).rejects.toThrow('the secret admin')
  })
})

test('every format is the same disk', async () => {
  await judged('passed', await sha256File(disk))
  const { folder } = await packed()
  const at = (name: string) => join(folder, `sample-1.2.3.${name}`)
  for (const format of ['vmdk', 'vhdx'])
    await run('qemu-img', ['compare', '-f', format, '-F', 'qcow2', at(format), at('qcow2')])
  const report = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8'))
  const raw = join(project.directory, 'from.zst.raw')
  await run('zstd', ['-q', '-d', at('raw.zst'), '-o', raw])
  expect(await sha256File(raw)).toBe(report.disk.sha256)
  await run('tar', ['-C', project.directory, '-xf', at('box'), 'box.img', 'metadata.json'])
  await run('qemu-img', [
    'compare',
    '-f',
    'qcow2',
    '-F',
    'qcow2',
    join(project.directory, 'box.img'),
    at('qcow2'),
  ])
  expect((await readdir(folder)).filter((name) => name.includes('partial'))).toEqual([])
})

test('the SBOMs hold what is locked and what is on the disk, and say where they differ', async () => {
  await judged('passed', await sha256File(disk))
  const { folder } = await packed()
  const report = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8'))
  expect(report.differences).toEqual({
    notInstalled: ['deb postgresql 15'],
    notLocked: ['deb stray 9', 'gem sinatra 3.0.5'],
  })
  const cdx = JSON.parse(await readFile(join(folder, 'sample-1.2.3.cdx.json'), 'utf8'))
  expect(cdx.components.map(({ purl }: { purl: string }) => purl)).toEqual([
    'pkg:deb/debian/nginx@1.2-3?arch=amd64',
    'pkg:deb/debian/postgresql@15?arch=amd64',
    'pkg:deb/debian/stray@9?arch=all',
    'pkg:gem/sinatra@3.0.5',
  ])
  expect(cdx.components[0]).toMatchObject({
    licenses: [{ expression: 'BSD-2-Clause' }],
    hashes: [{ alg: 'SHA-256', content: sha256('nginx') }],
  })
  for (const index of [2, 3]) expect(cdx.components[index].licenses).toEqual([{ expression: 'MIT' }])
  expect(cdx.components[1].licenses).toEqual([{ license: { name: 'PostgreSQL licence' } }])
  const provenance = JSON.parse(await readFile(join(folder, 'sample-1.2.3.provenance.json'), 'utf8'))
  expect(provenance.predicate.runDetails.builder.version).toEqual({
    'chef-provision qemu': '7.2',
    zlib: process.versions.zlib,
    e2fsprogs: expect.stringMatching(/^\d/),
  })
  const spdx = JSON.parse(await readFile(join(folder, 'sample-1.2.3.spdx.json'), 'utf8'))
  expect(spdx.packages.map(({ name }: { name: string }) => name)).toEqual([
    'sample',
    'nginx',
    'postgresql',
    'stray',
    'sinatra',
  ])
  expect(spdx.packages[2].licenseDeclared).toBe('LicenseRef-PostgreSQL-licence')
  expect(spdx.packages[0].checksums[0].checksumValue).toBe(report.disk.sha256)
})

test('a raw disk is taken as it is, and data disks come in every format; without an OVA there is no lint', async () => {
  const raw = join(project.directory, 'given.raw')
  await run('qemu-img', ['convert', '-O', 'raw', disk, raw])
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', join(project.directory, 'data.qcow2'), '3M'])
  await run('qemu-io', ['-c', 'write -q -P 7 1M 64k', join(project.directory, 'data.qcow2')])
  await writeFile(
    join(project.directory, 'several.yml'),
    SPEC.replace('disk: 96 MiB }', 'disk: 96 MiB, data_disks: [{ file: data.qcow2 }] }')
      .replace('formats: [ova, qcow2, vmdk, vhdx, raw.zst, box]', 'formats: [qcow2, vmdk, vhdx, raw.zst]')
      .replace('version: 1.2.3', 'version: 2.0.0'),
  )
  const spec = await readSpec(join(project.directory, 'several.yml'), {})
  const stage = { ...ovaPack, place: 'host' as const }
  const { outputs, folder } = await execute(
    stage,
    { ...project, spec },
    { disk: raw, unvalidated: true },
    options(),
  )
  expect(Object.keys(outputs.record.outputs).sort()).toEqual(['files', 'report'])
  const names = (JSON.parse(outputs.value('files')) as { name: string }[]).map(({ name }) => name)
  const stem = 'sample-2.0.0'
  expect(names.slice(0, 8)).toEqual(
    ['qcow2', 'vmdk', 'vhdx', 'raw.zst'].flatMap((format) => [
      `${stem}.${format}`,
      `${stem}-disk2.${format}`,
    ]),
  )
  const second = join(project.directory, 'data.qcow2')
  for (const format of ['qcow2', 'vmdk', 'vhdx'])
    await run('qemu-img', [
      'compare',
      '-f',
      format,
      '-F',
      'qcow2',
      join(folder, `${stem}-disk2.${format}`),
      second,
    ])
  const sums = await readFile(join(folder, 'SHA256SUMS'), 'utf8')
  expect(sums).toContain(`${stem}-disk2.qcow2\n`)
})

describe('a customer', () => {
  test('finds everything right with sha256sum and openssl alone, as the README says', async () => {
    const { folder } = await packed()
    const readme = await readFile(join(folder, 'README.txt'), 'utf8')
    const commands = readme.split('\n').filter((line) => line.startsWith('  '))
    expect(readme.split('\n').length).toBeLessThanOrEqual(11)
    expect(commands.length).toBe(4)
    const said: string[] = []
    for (const command of commands) said.push((await run('sh', ['-ec', command], { cwd: folder })).stdout)
    expect(said[0]).toContain('sample-1.2.3.ova: OK')
    expect(said[2]).toBe('Verified OK\n')
    expect(readme).toMatch(/: appliance verify sample-1\.2\.3\.ova --certificate certificate\.pem\n$/)
    const fingerprint = /Fingerprint=(\S+)/.exec(said[3]!)![1]!
    expect(readme).toContain(fingerprint)
    await rm(join(folder, 'public-key.pem'))
  })

  const lines = async (change?: (folder: string) => Promise<unknown>, certificate?: string) => {
    const { folder } = await packed()
    const copy = await mkdtemp(join(tmpdir(), 'ova-customer-'))
    try {
      await run('cp', ['-a', `${folder}/.`, copy])
      await change?.(copy)
      const options = {
        log: quietLog(),
        signal: new AbortController().signal,
        ...(certificate && { certificate }),
      }
      return await verifyOva(join(copy, 'sample-1.2.3.ova'), options)
    } finally {
      await rm(copy, { recursive: true })
    }
  }
  const faults = (checks: Check[]) =>
    checks.filter(({ fault }) => fault !== undefined).map(({ title }) => title)

  test('finds everything right with appliance verify', async () => {
    const checks = await lines(undefined, join(project.directory, 'certificate.pem'))
    expect(faults(checks)).toEqual([])
    expect(checks.filter(({ absent }) => absent)).toEqual([])
    expect(checks.map(({ title }) => title)).toContain('packages on the disk')
  })

  test.each<[string, (folder: string) => Promise<unknown>, string[]]>([
    [
      'a bit of the disk',
      (folder) => flip(join(folder, 'sample-1.2.3.ova'), -9000),
      ['SHA256SUMS', 'manifest', 'provenance'],
    ],
    ['the last byte', (folder) => flip(join(folder, 'sample-1.2.3.ova'), -1), ['SHA256SUMS', 'archive']],
    [
      'a list of digests made anew',
      async (folder) => {
        await flip(join(folder, 'sample-1.2.3.ova'), -1)
        const { stdout } = await run('sha256sum', ['sample-1.2.3.ova'], { cwd: folder })
        await writeFile(join(folder, 'SHA256SUMS'), stdout)
      },
      ['signature of SHA256SUMS'],
    ],
    [
      "another's SBOM",
      async (folder) => {
        const path = join(folder, 'sample-1.2.3.spdx.json')
        const text = await readFile(path, 'utf8')
        await writeFile(
          path,
          text.replace(/"checksumValue": "[0-9a-f]{64}"/, `"checksumValue": "${'0'.repeat(64)}"`),
        )
      },
      ['SBOM (SPDX)'],
    ],
    [
      'a package more',
      async (folder) => {
        const path = join(folder, 'sample-1.2.3.cdx.json')
        await writeFile(path, (await readFile(path, 'utf8')).replaceAll('nginx', 'apache'))
      },
      ['packages on the disk'],
    ],
  ])('sees %s', async (_, change, expected) => {
    expect(faults(await lines(change))).toEqual(expect.arrayContaining(expected))
  })

  test("sees another's certificate", async () => {
    const other = await mkdtemp(join(tmpdir(), 'ova-other-'))
    const { certificate } = await signingKey(other)
    expect(faults(await lines(undefined, certificate))).toEqual([
      'signature of SHA256SUMS',
      'signature of the manifest',
    ])
    await rm(other, { recursive: true })
  })

  test('who has the certificate is told when the signatures were taken out; nobody else can know', async () => {
    const name = 'sample-1.2.3'
    const stripped = async (folder: string) => {
      const ova = join(folder, `${name}.ova`)
      await run(
        'sh',
        [
          '-ec',
          `tar -xf ${name}.ova
         tar --format=ustar -cf ${name}.ova ${name}.ovf ${name}.mf $(tar -tf ${name}.ova | grep vmdk)
         rm SHA256SUMS.sig certificate.pem; sha256sum ${name}.ova >SHA256SUMS`,
        ],
        { cwd: folder },
      )
      const provenance = join(folder, `${name}.provenance.json`)
      const said = JSON.parse(await readFile(provenance, 'utf8'))
      said.subject[0].digest.sha256 = await sha256File(ova)
      await writeFile(provenance, JSON.stringify(said))
    }
    expect(faults(await lines(stripped))).toEqual([])
    expect(faults(await lines(stripped, join(project.directory, 'certificate.pem')))).toEqual([
      'signature of SHA256SUMS',
      'signature of the manifest',
    ])
    const alone = async (folder: string) => {
      const others = (await readdir(folder)).filter((file) => file !== `${name}.ova`)
      for (const file of others) await rm(join(folder, file))
    }
    expect(faults(await lines(alone, join(project.directory, 'certificate.pem')))).toEqual([])
  })
})

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path)
  const index = at < 0 ? bytes.length + at : at
  bytes[index]! ^= 1
  await writeFile(path, bytes)
}
