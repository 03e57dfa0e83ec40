import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { sha256File } from '../../../actions/lib/files/digest.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { readSpec } from '../../../actions/lib/spec/read.ts'
import { type Execution, execute } from '../../../actions/lib/stage/execute.ts'
import { writeRecord } from '../../../actions/lib/stage/record.ts'
import type { Project } from '../../../actions/lib/stage/stage.ts'
import { toolsKey } from '../../../actions/lib/tools/root.ts'
import { ovaPack } from '../../../actions/ova-pack/stage.ts'
import { lockOf } from '../../fixtures/lock.ts'
import { quietLog } from './quiet-log.ts'
import { sampleDisk, withBootCode } from './sample-disk.ts'

jest.setTimeout(120_000)

const SPEC = `name: sample
version: 1.2.3
product: { title: Sample, vendor: Example Ltd }
secrets: { admin: env:OVA_PACK_TEST_SECRET }
basebox: { disk: 64 MiB }
pack:
  formats: [ova, qcow2]
  hardware: { memory: 2 GiB, disk: 96 MiB }
  eula: EULA.txt
`
const nothing = { uri: '', suites: [], components: [], timestamp: '', evidence: [] }
const lock = lockOf({
  deb: [],
  tools: { deb: [{ name: 'debian', ...nothing, packages: [] }], gem: [] },
})

let project: Project
let disk: string

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ova-stage-'))
  const specFile = join(directory, 'appliance.yml')
  await writeFile(specFile, SPEC)
  await writeFile(join(directory, 'EULA.txt'), 'Be nice.\n')
  const buildDirectory = join(directory, 'build')
  project = {
    directory,
    specFile,
    spec: await readSpec(specFile, {}),
    buildDirectory,
    lockFile: join(directory, 'appliance.lock.json'),
    lock,
  }
  // This computer itself is the tools root: its e2fsprogs run through its own loader.
  const tools = join(buildDirectory, 'tools', toolsKey(lock).slice(0, 16))
  await mkdir(tools, { recursive: true })
  await symlink('/', join(tools, 'root'))
  const provisioned = join(buildDirectory, 'chef-provision')
  await mkdir(provisioned)
  const raw = await sampleDisk(join(directory, 'disk.raw'), {
    '/etc/passwd': 'root:x:0:0::/root:/bin/sh\n',
    '/etc/hostname': 'builder\n',
    '/usr/lib/os-release': 'ID=debian\n',
    '/var/log/syslog': 'line\n',
  })
  await withBootCode(raw)
  disk = join(provisioned, 'provisioned.qcow2')
  await run('qemu-img', ['convert', '-O', 'qcow2', raw, disk])
  await writeRecord(provisioned, 'chef-provision', {}, { outputs: { disk: { path: disk } }, tools: {} })
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
  return execute({ ...ovaPack, place: 'host' }, project, given, {
    log: quietLog(),
    signal: new AbortController().signal,
    verify: false,
    inside: () => Promise.reject(new Error('not here')),
  })
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
  expect(files.map(({ path }) => path)).toEqual([
    'build/ova-pack/sample-1.2.3.ova',
    'build/ova-pack/sample-1.2.3.qcow2',
  ])
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

test('packing again is up to date; by force it gives the same bytes', async () => {
  const before = (await packed()).outputs.value('ova-sha256')
  expect((await packed()).state).toBe('up-to-date')
  await rm(join(project.buildDirectory, 'ova-pack', 'sample-1.2.3.ova'))
  const again = await packed()
  expect([again.state, again.outputs.value('ova-sha256')]).toEqual(['done', before])
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
