import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { run } from '../../actions/lib/process/command.ts'
import { cannotMakeSmallDisk, smallDisk } from '../fixtures/small-disk.ts'
import { Services } from './emulator/services.ts'
import { RunnerMachine } from './runner/machine.ts'
import { PRODUCT, Product } from './runner/product.ts'

// Stages that need the build's tools are cancelled in test/e2e/fleet.test.ts.

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
  const files = ['first', 'second'].map((name) => `    - url: ${url}/${name}\n`).join('')
  const spec = `name: tiny\nversion: 1.0.0\nmirror:\n  file:\n${files}`
  await using product = await Product.create({ 'appliance.yml': spec })
  const steps = [{ uses: 'actions/checkout@v5' }, { uses: 'org/appliance/actions/mirror-deps@v1' }]
  const runs = () =>
    product.runs(
      { 'runs-on': 'x', steps },
      {
        services: services.environment,
        onLine: (_, at) => {
          cancel = at.cancel
        },
      },
    )

  stalls = true
  const cancelled = await runs()
  const job = cancelled.jobs.appliance!
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
  expect(next.jobs.appliance!.summary).toMatch(/\| file first \| 1 \| 5 B \| 0 \| 1 \|/)
  expect(next.log).toMatch(/cache: saved appliance-mirror-2-tiny\.[0-9a-f]{64}-1$/m)
  server.closeAllConnections()
  server.close()
})

const why = await cannotMakeSmallDisk()
;(why ? test.skip : test)(
  `a cancelled job with a machine leaves neither it nor anything half-written, and the next one boots it again${why ? ` (skipped: ${why})` : ''}`,
  async () => {
    // The runner is behind a proxy. Where machines are there is none, and nobody is to look for it.
    const suite = '{ name: No proxy, run: "! env | grep -i _proxy=" }'
    const proxy = 'http://proxy.test:3128'
    await using product = await Product.create({
      'appliance.yml': `name: tiny\nversion: 1.0.0\nmirror: {}\nvalidate: { scenarios: scenarios, suites: [${suite}] }\n`,
      'scenarios/boots.yml': 'name: It boots\nsteps: [boot, run: "true"]\n',
    })
    const steps = [
      { uses: 'actions/checkout@v5', with: { clean: false } },
      { uses: 'org/appliance/actions/mirror-deps@v1' },
      {
        uses: 'org/appliance/actions/vm-validate@v1',
        with: { disk: await smallDisk(), scenario: 'It boots\nNo proxy' },
      },
    ]
    await using machine = await RunnerMachine.create({
      APPLIANCE_CACHE: 'off',
      http_proxy: proxy,
      HTTPS_PROXY: proxy,
    })
    const machineFor = async () => machine
    const job = { 'runs-on': 'x', steps }
    const workspace = machine.workspace(PRODUCT)
    const boots = async () => {
      const found = ['-f', `qemu-system.*${workspace}`]
      while ((await run('pgrep', found, { allowFailure: true })).status !== 0) await setTimeout(200)
      await setTimeout(3000) // and is at its kernel, or nearly
    }
    let watched: Promise<void> | undefined
    const cancelled = await product.runs(job, {
      machineFor,
      onLine: (_, { cancel }) => {
        watched ??= boots().then(cancel)
      },
    })
    await watched
    const { steps: done, leftovers } = cancelled.jobs.appliance!
    expect(done.slice(0, 3).map(({ outcome }) => outcome)).toEqual(['success', 'success', 'cancelled'])
    expect(leftovers).toEqual([])
    expect(await readdir(join(workspace, 'build'))).not.toContain('.work')
    expect(await readdir(join(workspace, 'build/vm-validate')).catch(() => [])).not.toContain('stage.json')
    const next = await product.runs(job, { machineFor })
    expect([next.result, next.log]).toEqual(['success', expect.stringContaining('✓ No proxy')])
  },
)
