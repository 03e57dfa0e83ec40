import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { run } from '../../actions/lib/process/command.ts'
import { cannotMakeSmallDisk, smallDisk } from '../fixtures/small-disk.ts'
import { Services } from './emulator/services.ts'
import { node24, Workspace } from './emulator/step.ts'
import { RunnerMachine } from './runner/machine.ts'
import { type RunOptions, runWorkflow } from './runner/run.ts'

test('a cancelled job leaves nothing running, and what it had fetched of the mirror is there for the next', async () => {
  let stalls = false
  let cancel = () => {}
  const server = createServer((request, response) => {
    if (stalls && request.url === '/second') {
      response.writeHead(200, { 'content-length': 6 }).write('sec')
      void setTimeout(1500).then(() => cancel())
    } else response.end(request.url!.slice(1))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await using services = await Services.start()
  await using laptop = await Workspace.create()
  const files = ['first', 'second'].map((name) => `    - url: ${url}/${name}\n`).join('')
  await writeFile(laptop.path('appliance.yml'), `name: tiny\nversion: 1.0.0\nmirror:\n  file:\n${files}`)
  await laptop.lock()
  const folder = await mkdtemp('/tmp/appliance-cancelled-')
  const steps = '[{ uses: actions/checkout@v5 }, { uses: org/appliance/actions/mirror-deps@v1 }]'
  await writeFile(join(folder, 'w.yml'), `on: push\njobs: { j: { runs-on: x, steps: ${steps} } }\n`)
  const runs = async () => {
    await using machine = await RunnerMachine.create({ APPLIANCE_CACHE: 'off' })
    return await runWorkflow({
      repository: { name: 'someone/tiny', folder: laptop.directory },
      workflow: join(folder, 'w.yml'),
      event: { name: 'push', ref: 'refs/heads/main' },
      machineFor: async () => machine,
      others: { 'org/appliance': resolve('.') },
      substitutes: {
        'actions/checkout': async ({ workspace }) => {
          for (const name of ['appliance.yml', 'appliance.lock.json'])
            await cp(laptop.path(name), join(workspace, name))
          return undefined
        },
      },
      services: services.environment,
      onLine: (_, at) => {
        cancel = at.cancel
      },
    })
  }

  stalls = true
  const cancelled = await runs()
  const job = cancelled.jobs.j!
  expect(job.steps.map(({ outcome, signalled }) => [outcome, signalled])).toEqual([
    ['success', undefined],
    ['cancelled', 'SIGINT'],
    ['success', undefined],
  ])
  expect(job.leftovers).toEqual([])
  expect(services.caches.map(({ key }) => key)).toEqual([
    expect.stringMatching(/^appliance-mirror-2-tiny\.part-[0-9a-f]{64}-1-1$/),
  ])

  stalls = false
  const next = await runs()
  expect([next.result, next.log]).toEqual([
    'success',
    expect.stringMatching(/cache: restored appliance-mirror-2-tiny\.part-[0-9a-f]{64}-1-1/),
  ])
  expect(next.jobs.j!.summary).toMatch(/\| file first \| 1 \| 5 B \| 0 \| 1 \|/)
  expect(next.log).toMatch(/cache: saved appliance-mirror-2-tiny\.[0-9a-f]{64}-1$/m)
  server.closeAllConnections()
  server.close()
  await rm(folder, { recursive: true })
})

const why = await cannotMakeSmallDisk()
;(why ? test.skip : test)(
  `a cancelled job with a machine leaves neither it nor anything half-written, and the next one boots it again${why ? ` (skipped: ${why})` : ''}`,
  async () => {
    const disk = await smallDisk()
    const folder = await mkdtemp('/var/tmp/appliance-cancelled-')
    const product = join(folder, 'product')
    await mkdir(join(product, 'scenarios'), { recursive: true })
    await writeFile(
      join(product, 'appliance.yml'),
      'name: tiny\nversion: 1.0.0\nmirror: {}\nvalidate: { scenarios: scenarios }\n',
    )
    await writeFile(join(product, 'scenarios/boots.yml'), 'name: It boots\nsteps: [boot, run: "true"]\n')
    const validate = `{ uses: org/appliance/actions/vm-validate@v1, with: { disk: '${disk}', scenario: It boots } }`
    const mirror = '{ uses: org/appliance/actions/mirror-deps@v1 }'
    const steps = `[{ uses: actions/checkout@v5 }, ${mirror}, ${validate}]`
    await writeFile(join(folder, 'w.yml'), `on: push\njobs: { j: { runs-on: x, steps: ${steps} } }\n`)
    const lock = [resolve('dist/cli/index.js'), 'lock', '--working-directory', product]
    await run(node24, lock, { env: { APPLIANCE_CACHE: 'off', GITHUB_ACTIONS: undefined } })
    await rm(join(product, 'build'), { recursive: true, force: true })
    await using machine = await RunnerMachine.create({ APPLIANCE_CACHE: 'off' })
    const runs = (onLine: RunOptions['onLine'] = () => {}) =>
      runWorkflow({
        repository: { name: 'someone/tiny', folder: product },
        workflow: join(folder, 'w.yml'),
        event: { name: 'push', ref: 'refs/heads/main' },
        machineFor: async () => machine,
        others: { 'org/appliance': resolve('.') },
        substitutes: {
          'actions/checkout': async ({ workspace }) => {
            await cp(product, workspace, { recursive: true })
            return undefined
          },
        },
        onLine,
      })
    const workspace = machine.workspace('someone/tiny')
    const boots = async () => {
      const found = ['-f', `qemu-system.*${workspace}`]
      while ((await run('pgrep', found, { allowFailure: true })).status !== 0) await setTimeout(200)
      await setTimeout(3000) // and is at its kernel, or nearly
    }
    try {
      let watched: Promise<void> | undefined
      const cancelled = await runs((_, { cancel }) => {
        watched ??= boots().then(cancel)
      })
      await watched
      const job = cancelled.jobs.j!
      expect(job.steps.slice(0, 3).map(({ outcome }) => outcome)).toEqual(['success', 'success', 'cancelled'])
      expect(job.leftovers).toEqual([])
      expect(await readdir(join(workspace, 'build'))).not.toContain('.work')
      expect(await readdir(join(workspace, 'build/vm-validate')).catch(() => [])).not.toContain('stage.json')
      const next = await runs()
      expect([next.result, next.log]).toEqual(['success', expect.any(String)])
    } finally {
      await rm(folder, { recursive: true })
    }
  },
)
