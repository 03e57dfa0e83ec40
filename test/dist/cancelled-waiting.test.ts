import { randomBytes } from 'node:crypto'
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { packed, packedFiles, packedSpec } from '../fixtures/packed.ts'
import { withoutStages } from '../fixtures/without-stages.ts'
import { type CallingOptions, checkout, outcomes } from '../fixtures/workflow-runs.ts'
import { Services } from './emulator/services.ts'
import { RunnerMachine } from './runner/machine.ts'
import { PRODUCT, Product } from './runner/product.ts'
import type { JobResult } from './runner/setting.ts'

// Jobs that are cancelled while one of our steps waits for GitHub, and are run again.

const MIRROR = 'org/appliance/actions/mirror-deps@v1'

let product: Product
let folder: string
let services: Services
let machine: RunnerMachine

beforeAll(async () => {
  folder = await mkdtemp('/tmp/appliance-waiting-')
  product = await Product.create({ 'appliance.yml': packedSpec })
})
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})
beforeEach(async () => {
  services = await Services.start()
  machine = await RunnerMachine.create({ APPLIANCE_CACHE: 'off' })
})
afterEach(async () => {
  await machine[Symbol.asyncDispose]()
  await services[Symbol.asyncDispose]()
})

/** Calls one of our workflows; what it waits for in vain is what it is cancelled in. */
async function calls(workflow: string, options: Partial<CallingOptions>) {
  return await product.runs(
    { uses: `org/appliance/.github/workflows/${workflow}@v1` },
    { services: services.environment, apiUrl: services.api, machineFor: async () => machine, ...options },
  )
}

/** Which requests hang: the first that is one of these; then somebody has enough of it. */
function hanging(isOne: (asked: string) => boolean, enough: () => void): (asked: string) => boolean {
  let begun = false
  return (asked) => {
    if (begun || !isOne(asked)) return false
    begun = true
    enough()
    return true
  }
}

/** The step was cancelled, and ended by itself at the first signal; the job left nothing running or half-written. */
async function leftInOrder({ steps, result, leftovers }: JobResult, uses: string): Promise<void> {
  const step = steps.find(({ name }) => name === uses)
  expect([result, step, leftovers]).toMatchObject(['cancelled', { outcome: 'cancelled' }, []])
  expect(step).toMatchObject({ signalled: 'SIGINT', log: expect.stringContaining('interrupted') })
  const left = await readdir(join(machine.workspace(PRODUCT), 'build'))
  expect(left.filter((name) => ['.work', '.occupied'].includes(name))).toEqual([])
}

test.each([
  ['of this run', 'ArtifactService/ListArtifacts'],
  ['of earlier runs', 'GET /actions/artifacts'],
])('plan, cancelled while it looks for results %s, plans when it is run again', async (_, waits) => {
  const asked: string[] = []
  const machineFor = async (job: string) => {
    asked.push(job)
    return machine
  }
  let cancel = () => {}
  const onLine: CallingOptions['onLine'] = (_line, at) => {
    cancel = at.cancel
    if (at.job === 'appliance / mirror') cancel()
  }
  services.hangs = hanging(
    (asked) => asked.startsWith(waits),
    () => cancel(),
  )
  const cancelled = await calls('appliance-fleet.yml', { machineFor, onLine })
  await leftInOrder(cancelled.jobs['appliance / plan']!, '$/actions/plan')
  expect(asked).toEqual(['appliance / plan'])

  const again = await calls('appliance-fleet.yml', { machineFor, onLine, attempt: 2 })
  expect(outcomes(again)).toMatchObject({ 'appliance / plan': 'success', 'appliance / mirror': 'cancelled' })
  expect(again.log).toContain('to do: veewee-basebox, chef-provision, vm-validate, ova-pack')
})

test.each([
  ['asks what the cache has', 'CacheService/GetCacheEntryDownloadURL'],
  ['saves the mirror there', 'CacheService/CreateCacheEntry'],
])('mirror-deps, cancelled while it %s, does all of it when it is run again', async (_, waits) => {
  let cancel = () => {}
  const data = join(folder, 'data.txt')
  await writeFile(data, 'what the appliance needs')
  const spec = `name: tiny\nversion: 1.0.0\nmirror: { file: [{ url: file://${data} }] }\n`
  await using tiny = await Product.create({ 'appliance.yml': spec })
  const runs = (attempt: number) =>
    tiny.runs(
      { 'runs-on': 'x', steps: [{ uses: 'actions/checkout@v5' }, { uses: MIRROR }] },
      {
        services: services.environment,
        machineFor: async () => machine,
        attempt,
        onLine: (_line, at) => {
          cancel = at.cancel
        },
      },
    )
  services.hangs = hanging(
    (asked) => asked.startsWith(waits),
    () => cancel(),
  )
  await leftInOrder((await runs(1)).jobs.appliance!, MIRROR)
  const again = await runs(2)
  expect([again.result, again.log]).toEqual([
    'success',
    expect.stringMatching(/cache: saved appliance-mirror-2-tiny\.[0-9a-f]{64}-1$/m),
  ])
})

test('publish, cancelled in the middle of an upload, goes on with its draft when it is run again', async () => {
  const [actions, built] = [join(folder, 'actions'), join(folder, 'built')]
  const ova = randomBytes(3_000_000)
  await cp(product.folder, built, { recursive: true })
  await packed(built, ova)
  // What the stages would make is there: this is about what comes after them.
  const packs = { run: `cp -a ${built}/build/. build/`, outputs: { ova: 'build/ova-pack/tiny-1.2.3.ova' } }
  await withoutStages(actions, { kept: ['publish'], instead: { 'ova-pack': packs } })
  let cancel = () => {}
  const options: Partial<CallingOptions> = {
    event: { name: 'push', ref: 'refs/tags/v1.2.3' },
    others: { 'org/appliance': actions },
    substitutes: {
      'actions/checkout': checkout(product.folder),
      'actions/attest-build-provenance': async () => undefined,
    },
    onLine: (_, at) => {
      cancel = at.cancel
    },
  }
  services.releases.hangs = hanging(
    (name) => name === 'mirror.tar.zst',
    () => cancel(),
  )
  const cancelled = await calls('appliance-release.yml', options)
  await leftInOrder(cancelled.jobs['appliance / release']!, '$/actions/publish')
  const [release] = services.releases.releases
  expect(release).toMatchObject({ draft: true })
  const states = () => Object.fromEntries(release!.assets.map(({ name, state }) => [name, state]))
  expect(states()).toMatchObject({ 'tiny-1.2.3.ova': 'uploaded', 'mirror.tar.zst': 'starter' })

  services.releases.calls.length = 0
  const again = await calls('appliance-release.yml', { ...options, attempt: 2 })
  expect([again.result, again.log]).toEqual([
    'success',
    expect.stringContaining('tiny-1.2.3.ova is there already'),
  ])
  expect(services.releases.releases).toMatchObject([{ draft: false }])
  expect(release!.assets.map(({ name }) => name).sort()).toEqual(packedFiles)
  expect(release!.assets.find(({ name }) => name === 'tiny-1.2.3.ova')!.content.equals(ova)).toBe(true)
  expect(services.releases.calls.at(-1)).toMatch(/^PATCH/)
})
