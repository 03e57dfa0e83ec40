import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { contractOf } from '../../actions/appliance/contract.ts'
import { sha256, sha256File } from '../../actions/lib/files/digest.ts'
import { run as execute } from '../../actions/lib/process/command.ts'
import { importOva } from '../../actions/vm-validate/ova/import.ts'
import { Services } from '../dist/emulator/services.ts'
import { node24 } from '../dist/emulator/step.ts'
import type { RunnerMachine } from '../dist/runner/machine.ts'
import { type RunOptions, runWorkflow } from '../dist/runner/run.ts'
import { command } from '../fixtures/command.ts'
import { buildExample, exampleOva } from '../fixtures/example.ts'
import { virtualBoxImport } from '../fixtures/importers.ts'
import { type ReleaseTree, releaseTree } from '../fixtures/release-tree.ts'
import {
  downloaded,
  EXAMPLE,
  freshRunner,
  outcomes,
  REPOSITORY,
  repositoryOf,
  runCalled,
  runOptions,
  runText,
  seededRunner,
  succeeded,
} from '../fixtures/workflow-runs.ts'

// The workflow files that ship, as they are, with the committed dist/ under Node 24, on the example that was built.

const full = process.env.APPLIANCE_TESTS === 'full' ? test : test.skip
const machines: RunnerMachine[] = []
let release: ReleaseTree
let repository: string
let services: Services

beforeAll(async () => {
  await buildExample()
  release = await releaseTree()
  repository = await repositoryOf(release)
  services = await Services.start()
}, 2_400_000)

afterAll(async () => {
  for (const machine of machines) await machine[Symbol.asyncDispose]()
  await services?.[Symbol.asyncDispose]()
  await release?.[Symbol.asyncDispose]()
})

async function fresh(): Promise<RunnerMachine> {
  const machine = await freshRunner()
  machines.push(machine)
  return machine
}

async function seeded(): Promise<RunnerMachine> {
  const machine = await seededRunner()
  machines.push(machine)
  return machine
}

/** What lies on a runner is of a release, that of this run. */
async function begunBy(machine: RunnerMachine, runId: number): Promise<void> {
  await writeFile(join(machine.workspace(REPOSITORY), EXAMPLE, 'build/.release'), `${runId}\n`)
}

/** A workflow that calls one of ours, as a user's does, on the example. */
async function calling(
  workflow: string,
  inputs: Record<string, unknown>,
  runId: number,
  machineFor: () => Promise<RunnerMachine>,
  more: Partial<RunOptions> = {},
) {
  const options = { ...runOptions(repository, services, runId), machineFor, ...more }
  return await runCalled(workflow, inputs, options)
}

test('appliance.yml, on the runner that built it: all is up to date, the mirror is cached, the OVA an artifact', async () => {
  const machine = await seeded()
  const run = await runWorkflow({
    ...runOptions(repository, services, 1),
    workflow: '.github/workflows/appliance.yml',
    machineFor: async () => machine,
  })
  expect([outcomes(run), run.log]).toEqual([{ 'license-server / build': 'success' }, expect.any(String)])
  const job = run.jobs['license-server / build']!
  expect(job.leftovers).toEqual([])
  expect(job.substituted).toEqual(['actions/checkout'])
  expect(run.log).not.toMatch(/: again, because|is not as it was made/)
  expect(services.caches.map(({ key }) => key)).toEqual([
    expect.stringMatching(/^appliance-mirror-2-license-server\.[0-9a-f]{64}-1$/),
  ])
  const [ova] = services.artifacts
  expect(ova).toMatchObject({ name: 'license-server-1.4.0.ova' })
  expect(sha256(ova!.content)).toBe(await sha256File(exampleOva))
  expect(job.outputs).toEqual({ ova: 'license-server-1.4.0.ova', 'ova-sha256': sha256(ova!.content) })
  const table =
    /^## License Server 1\.4\.0\n\n(?:.*\n\n)\| \| stage \| time \| result .*\n.*\n((?:\| ✅ .*\n)+)/m
  const rows = table.exec(job.summary)?.[1]?.trim().split('\n') ?? []
  expect(rows.map((row) => row.split(' | ')[1])).toEqual([
    'mirror-deps',
    'veewee-basebox',
    'chef-provision',
    'vm-validate',
    'ova-pack',
  ])
  expect(job.summary).toMatch(/\[artifact\]\(https:\/\/[^)]*\/actions\/runs\/1\/artifacts\/1\)/)
})

full(
  'the OVA among the artifacts of the run: VirtualBox imports it, with the disk that was packed',
  async () => {
    const folder = await mkdtemp('/var/tmp/appliance-downloaded-')
    try {
      const ova = await downloaded(services, 1, 'license-server-1.4.0.ova', folder)
      expect(await sha256File(ova)).toBe(await sha256File(exampleOva))
      const { disk, machine } = await importOva(ova, folder, new AbortController().signal)
      await execute('qemu-img', ['check', '-f', 'vmdk', disk])
      const { info, disk: theirs } = await virtualBoxImport(folder, basename(ova), machine.name)
      expect(info).toMatch(/^nic1="/m)
      await execute('qemu-img', ['compare', '-f', 'vmdk', '-F', 'vmdk', disk, theirs])
    } finally {
      await rm(folder, { recursive: true })
    }
  },
)

describe('appliance-fleet.yml', () => {
  test('asks for no runner with virtualization when an earlier run made the same', async () => {
    const machine = await seeded()
    const stages = ['veewee-basebox', 'chef-provision', 'vm-validate', 'ova-pack']
    const steps = stages.map((stage) => ({
      id: stage,
      uses: `$/actions/${stage}`,
      with: {
        'working-directory': EXAMPLE,
        carry: 'artifact',
        ...(stage === 'ova-pack' && { upload: false }),
      },
    }))
    const checkout = { uses: 'actions/checkout@v5', with: { clean: false } }
    const outputs = stages.map((stage) => [stage, `\${{ toJSON(steps.${stage}.outputs) }}`])
    const job = { 'runs-on': 'x', outputs: Object.fromEntries(outputs), steps: [checkout, ...steps] }
    const options = { ...runOptions(repository, services, 2), machineFor: async () => machine }
    const carried = await runText(job, options)
    expect([carried.result, carried.log]).toEqual([
      'success',
      expect.stringContaining('ova-pack: carried as'),
    ])
    await outputsHold(carried.jobs.appliance!.outputs)
    const names = services.artifacts.filter(({ run }) => run === 'run-2').map(({ name }) => name)
    expect(names.map((name) => name.replace(/-[0-9a-f]{20}/, ''))).toEqual([
      'appliance-veewee-basebox.tar.zst',
      'appliance-veewee-basebox.json',
      'appliance-chef-provision.tar.zst',
      'appliance-chef-provision.json',
      'appliance-vm-validate.tar.zst',
      'appliance-vm-validate.json',
      'appliance-ova-pack.json',
    ])

    const run = await calling('appliance-fleet.yml', {}, 3, fresh)
    expect([outcomes(run), run.log]).toEqual([
      {
        'appliance / plan': 'success',
        'appliance / mirror': 'skipped',
        'appliance / basebox': 'skipped',
        'appliance / provision': 'skipped',
        'appliance / validate': 'skipped',
        'appliance / pack': 'skipped',
      },
      expect.stringContaining('everything is up to date'),
    ])
  })

  test('takes nothing that the code of a fork made', async () => {
    for (const artifact of services.artifacts) artifact.fork = true
    // Without any result the first stage has to work; that is known before a machine is booted.
    const onLine: RunOptions['onLine'] = (line, { cancel }) => void (line.startsWith('to do: ') && cancel())
    const run = await calling('appliance-fleet.yml', {}, 5, fresh, { onLine })
    expect(run.log).toContain('to do: veewee-basebox, chef-provision, vm-validate, ova-pack')
    expect(run.result).toBe('cancelled')
  })
})

/** What an action's outputs name is there, and is what its README says. */
async function outputsHold(outputs: Record<string, string>): Promise<void> {
  const of = (stage: string) => JSON.parse(outputs[stage]!) as Record<string, string>
  for (const name of ['veewee-basebox', 'chef-provision', 'vm-validate', 'ova-pack'] as const)
    expect([name, Object.keys(of(name)).sort()]).toEqual([name, Object.keys(contractOf(name).outputs).sort()])
  const [basebox, provision, validate, pack] = Object.keys(outputs).map(of)
  const boxes = await readdir(basebox!.box!)
  expect(boxes.filter((name) => name.endsWith('.box'))).not.toEqual([])
  const catalogue = boxes.find((name) => name.endsWith('.json'))!
  expect(JSON.parse(await readFile(join(basebox!.box!, catalogue), 'utf8'))).toHaveProperty('versions')
  expect(await readFile(basebox!.report!, 'utf8')).toContain('The base machine')
  expect(validate!['disk-sha256']).toBe(await sha256File(provision!.disk!))
  expect(validate!.verdict).toBe('passed')
  expect(await readFile(validate!.page!, 'utf8')).toMatch(/^<!doctype html>/i)
  expect(JSON.parse(await readFile(validate!.details!, 'utf8'))).toMatchObject({ verdict: 'passed' })
  expect(await readFile(validate!.summary!, 'utf8')).toMatch(/^## vm-validate: passed/)
  expect(await readFile(pack!.report!, 'utf8')).toContain(pack!['ova-sha256'])
}

describe('appliance-release.yml', () => {
  const tag = { event: { name: 'push', ref: 'refs/tags/v1.4.0' } }
  const input = { 'part-size': '200 MB' }

  test('begins with an empty workspace where it made nothing itself, run again or not, and restores no cache', async () => {
    services.calls.length = 0
    const machine = await seeded()
    await begunBy(machine, 5)
    const onLine: RunOptions['onLine'] = (line, { cancel }) =>
      void (line.startsWith('cache: a release takes nothing') && cancel())
    const run = await calling('appliance-release.yml', input, 6, async () => machine, {
      ...tag,
      attempt: 2,
      onLine,
    })
    expect([run.result, run.log]).toEqual(['cancelled', expect.stringContaining('there is no release yet')])
    expect(services.calls.filter((call) => call.startsWith('CacheService'))).toEqual([])
    const build = join(machine.workspace(REPOSITORY), EXAMPLE, 'build')
    expect(await readdir(build)).not.toContain('ova-pack')
  })

  // The runner kept what the first attempt had built: it is read byte by byte, and not built again.
  full(
    'run again after a failure: every scenario on the OVA, all files verified and published, parts join',
    async () => {
      services.calls.length = 0
      const machine = await seeded()
      await begunBy(machine, 7)
      const { substitutes } = runOptions(repository, services, 7)
      // As in a private repository.
      const refused = () => Promise.reject(new Error('Feature not available'))
      const again = {
        ...tag,
        attempt: 2,
        substitutes: { ...substitutes, 'actions/attest-build-provenance': refused },
      }
      const run = succeeded(await calling('appliance-release.yml', input, 7, async () => machine, again))
      expect(services.calls.filter((call) => call.startsWith('CacheService'))).toEqual([])
      const [published] = services.releases.releases
      expect(published).toMatchObject({ tag_name: 'v1.4.0', draft: false })
      expect(run.jobs['appliance / release']!.summary).toContain('GitHub has not attested')
      expect(run.jobs['appliance / release']!.outputs.url).toContain('/releases/v1.4.0')
      expect(published!.assets.map(({ name }) => name).sort()).toEqual([
        'README.txt',
        'SHA256SUMS',
        'SHA256SUMS.release',
        'appliance.lock.json',
        'join.ps1',
        'join.sh',
        'license-server-1.4.0.cdx.json',
        'license-server-1.4.0.ova.part000',
        'license-server-1.4.0.ova.part001',
        'license-server-1.4.0.provenance.json',
        'license-server-1.4.0.spdx.json',
        'mirror.tar.zst.part000',
        'mirror.tar.zst.part001',
        'pack-report.json',
        'pack-report.md',
        'validation-disk-report.xml',
        'validation-disk-summary.md',
        'validation-disk-verdict.json',
        'validation-ova-report.xml',
        'validation-ova-summary.md',
        'validation-ova-verdict.json',
      ])
      const folder = await mkdtemp('/var/tmp/appliance-release-')
      try {
        for (const { name, content } of published!.assets) await writeFile(join(folder, name), content)
        await execute('sh', [join(folder, 'join.sh')])
        await execute('sha256sum', ['--check', '--strict', 'SHA256SUMS.release'], { cwd: folder })
        const ova = join(folder, basename(exampleOva))
        expect(await sha256File(ova)).toBe(await sha256File(exampleOva))
        expect(await command({ node: node24 })('verify', ova)).toMatchObject({ status: 0 })
        const archive = join(machine.workspace(REPOSITORY), EXAMPLE, 'build/mirror.tar.zst')
        expect(await sha256File(join(folder, 'mirror.tar.zst'))).toBe(await sha256File(archive))
      } finally {
        await rm(folder, { recursive: true })
      }
    },
  )
})
