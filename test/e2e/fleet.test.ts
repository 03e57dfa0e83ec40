import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { sha256, sha256File } from '../../actions/lib/files/digest.ts'
import { run as execute } from '../../actions/lib/process/command.ts'
import type { StageName } from '../../actions/lib/stage/stage.ts'
import { Services } from '../dist/emulator/services.ts'
import type { RunnerMachine } from '../dist/runner/machine.ts'
import type { RunOptions, RunResult } from '../dist/runner/run.ts'
import { buildExample, exampleOva, record } from '../fixtures/example.ts'
import { type ReleaseTree, releaseTree } from '../fixtures/release-tree.ts'
import {
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

// The jobs of appliance-fleet.yml, each on a runner that holds nothing: what is before it comes from cache and
// artifacts, where the runner that built the example has put it.

const full = process.env.APPLIANCE_TESTS === 'full' ? test : test.skip
let release: ReleaseTree
let repository: string
let services: Services
let machines: RunnerMachine[]

beforeAll(async () => {
  if (process.env.APPLIANCE_TESTS !== 'full') return
  await buildExample()
  release = await releaseTree()
  repository = await repositoryOf(release)
}, 2_400_000)
afterAll(async () => await release?.[Symbol.asyncDispose]())

beforeEach(async () => {
  machines = []
  services = await Services.start()
})
afterEach(async () => {
  for (const machine of machines) await machine[Symbol.asyncDispose]()
  await services[Symbol.asyncDispose]()
})

async function kept(made: Promise<RunnerMachine>): Promise<RunnerMachine> {
  machines.push(await made)
  return await made
}

/** The runner that built the example puts its mirror into the cache, and the results of these stages among artifacts. */
async function carriedBefore(stages: readonly StageName[]): Promise<void> {
  const machine = await kept(seededRunner())
  const steps = stages.map((stage) => ({
    uses: `$/actions/${stage}`,
    with: { 'working-directory': EXAMPLE, carry: 'artifact' },
  }))
  const mirror = { uses: '$/actions/mirror-deps', with: { 'working-directory': EXAMPLE } }
  const checkout = { uses: 'actions/checkout@v5', with: { clean: false } }
  const options = { ...runOptions(repository, services, 1), machineFor: async () => machine }
  succeeded(await runText({ 'runs-on': 'x', steps: [checkout, mirror, ...steps] }, options))
}

/**
 * Another run of the fleet, which ends where a job after those that are wanted begins, if any is named. On the way there it is cancelled
 * in the middle of a stage, and run again: by then each job has a runner of its own, which kept its workspace.
 */
async function fleetUntil(
  job: string | undefined,
  cancelled: Cancelled,
  inputs: Record<string, unknown> = {},
) {
  const runners: Record<string, Promise<RunnerMachine>> = {}
  const machineFor = (name: string) => {
    runners[name] ??= kept(freshRunner())
    return runners[name]
  }
  const options = { ...runOptions(repository, services, 2), machineFor }
  const first = await runCalled('appliance-fleet.yml', inputs, {
    ...options,
    onLine: cancelling(cancelled, runners),
  })
  await leftInOrder(first, cancelled, runners)
  fromCache(first, ['appliance / mirror', `appliance / ${cancelled.job}`])
  expect(services.artifacts.filter(({ run }) => run === 'run-2')).toEqual([])

  const onLine: RunOptions['onLine'] = (_, at) =>
    void (job !== undefined && at.job.startsWith(`appliance / ${job}`) && at.cancel())
  const run = await runCalled('appliance-fleet.yml', inputs, { ...options, attempt: 2, onLine })
  const made = services.artifacts.filter(({ run }) => run === 'run-2')
  const names = made.map(({ name }) => name.replace(/-[0-9a-f]{20}/, ''))
  const told = made.findLast(({ name }) => name.endsWith('.json'))?.content.toString() ?? '{}'
  const last = JSON.parse(told) as Awaited<ReturnType<typeof record>>
  return { run, names, log: run.log.slice(-8000), last }
}

interface Cancelled {
  job: string
  stage: StageName
  /** Once its machine is up; otherwise soon after it has written something. */
  machine?: true
}

function cancelling(
  { job, stage, machine }: Cancelled,
  runners: Record<string, Promise<RunnerMachine>>,
): NonNullable<RunOptions['onLine']> {
  let begun = false
  return (_, { step, cancel }) => {
    if (begun || step !== `$/actions/${stage}`) return
    begun = true
    void runners[`appliance / ${job}`]!.then(async (runner) => {
      await (machine ? machineUp(runner) : writing(buildOf(runner), stage))
      cancel()
    })
  }
}

/** A QEMU of the runner runs, and is at its kernel, or nearly. */
async function machineUp({ base }: RunnerMachine): Promise<void> {
  const found = ['-f', `qemu-system.*${base}`]
  while ((await execute('pgrep', found, { allowFailure: true })).status !== 0) await setTimeout(500)
  await setTimeout(5000)
}

async function writing(build: string, stage: StageName): Promise<void> {
  const written = () => readdir(join(build, '.work', stage)).catch(() => [])
  while ((await written()).length === 0) await setTimeout(200)
  await setTimeout(2000)
}

function buildOf(runner: RunnerMachine): string {
  return join(runner.workspace(REPOSITORY), EXAMPLE, 'build')
}

/** The job was cancelled in that stage; it left nothing running, and nothing half-written. */
async function leftInOrder(
  run: RunResult,
  { job, stage }: Cancelled,
  runners: Record<string, Promise<RunnerMachine>>,
): Promise<void> {
  const name = `appliance / ${job}`
  expect([outcomes(run), run.log.slice(-8000)]).toMatchObject([{ [name]: 'cancelled' }, expect.any(String)])
  const { steps, leftovers } = run.jobs[name]!
  expect(steps.find((step) => step.name === `$/actions/${stage}`)?.outcome).toBe('cancelled')
  expect(leftovers).toEqual([])
  const build = buildOf(await runners[name]!)
  expect(await readdir(build)).not.toContain('.work')
  expect(await readdir(join(build, stage)).catch(() => [])).not.toContain('stage.json')
}

/** In workspaces that held nothing, the mirror of these jobs came out of the Actions cache, all of it. */
function fromCache({ log, jobs }: RunResult, names: string[]): void {
  const withMirror = Object.values(jobs).filter(({ steps }) =>
    steps.some(({ name, outcome }) => name === '$/actions/mirror-deps' && outcome === 'success'),
  )
  expect(withMirror.map(({ id }) => id)).toEqual(names)
  const lines = log.split('\n')
  for (const { id, steps } of withMirror) {
    const said = lines.filter((line) => line.startsWith(`${id} | `)).join('\n')
    expect(said).toMatch(/cache: restored appliance-mirror-2-license-server\.[0-9a-f]{64}-\d+$/m)
    const { outputs } = steps.find(({ name }) => name === '$/actions/mirror-deps')!
    expect(outputs).toMatchObject({ 'cache-hit': 'true', 'downloaded-bytes': '0' })
  }
}

full('basebox: made from the mirror in the cache, the same as anywhere', async () => {
  await carriedBefore([])
  const cancelled: Cancelled = { job: 'basebox', stage: 'veewee-basebox' }
  const { run, names, log, last } = await fleetUntil('provision', cancelled)
  expect([outcomes(run), log]).toMatchObject([
    { 'appliance / mirror': 'success', 'appliance / basebox': 'success' },
    expect.any(String),
  ])
  expect(names).toEqual(['appliance-veewee-basebox.tar.zst', 'appliance-veewee-basebox.json'])
  expect(last.outputs.disk!.sha256).toBe((await record('veewee-basebox')).outputs.disk!.sha256)
})

full('provision: on the basebox that another runner made', async () => {
  await carriedBefore(['veewee-basebox'])
  const cancelled: Cancelled = { job: 'provision', stage: 'chef-provision', machine: true }
  const { run, names, log } = await fleetUntil('validate', cancelled)
  expect([outcomes(run), log]).toMatchObject([
    { 'appliance / basebox': 'skipped', 'appliance / provision': 'success' },
    expect.any(String),
  ])
  expect(names).toEqual(['appliance-chef-provision.tar.zst', 'appliance-chef-provision.json'])
})

full(
  'validate: a job for some tags, which hands nothing on, and one for everything, which vouches',
  async () => {
    await carriedBefore(['veewee-basebox', 'chef-provision'])
    const cancelled: Cancelled = { job: 'validate (smoke)', stage: 'vm-validate', machine: true }
    const { run, names, log, last } = await fleetUntil('pack', cancelled, { validate: '["smoke", ""]' })
    expect([outcomes(run), log]).toMatchObject([
      {
        'appliance / provision': 'skipped',
        'appliance / validate (smoke)': 'success',
        'appliance / validate ()': 'success',
      },
      expect.any(String),
    ])
    // Of two jobs, one result, and the first of them did have the disk to look at.
    expect(run.log).toMatch(/^appliance \/ validate \(smoke\) \| ✓ The machine/m)
    expect(names).toEqual(['appliance-vm-validate.tar.zst', 'appliance-vm-validate.json'])
    expect(last.outputs.verdict).toEqual({ value: 'passed' })
  },
)

full('pack: the OVA is the one that the runner made which did everything', async () => {
  await carriedBefore(['veewee-basebox', 'chef-provision', 'vm-validate'])
  const { run, names, log } = await fleetUntil(undefined, { job: 'pack', stage: 'ova-pack' })
  expect([outcomes(run), log]).toMatchObject([
    { 'appliance / mirror': 'success', 'appliance / validate': 'skipped', 'appliance / pack': 'success' },
    expect.stringContaining('ova-pack: carried as'),
  ])
  expect(names).toEqual(['license-server-1.4.0.ova', 'appliance-ova-pack.json'])
  const ova = services.artifacts.findLast(({ name }) => name === 'license-server-1.4.0.ova')!
  expect(sha256(ova.content)).toBe(await sha256File(exampleOva))
})
