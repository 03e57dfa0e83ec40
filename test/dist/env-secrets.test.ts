import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { CallingOptions } from '../fixtures/workflow-runs.ts'
import { Services } from './emulator/services.ts'
import { Product } from './runner/product.ts'
import type { RunOptions, RunResult } from './runner/run.ts'

// A product whose mirror needs a token, built by our reusable workflows: as far as the mirror.

const TOKEN = 'hunter2'
const sent: (string | undefined)[] = []
const server = createServer(({ headers }, response) => {
  sent.push(headers.authorization)
  if (headers.authorization === `Bearer ${TOKEN}`) response.end('what the vendor sells')
  else response.writeHead(401).end()
})
let product: Product

beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // The name has the token in it, and is in the log.
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/about-${TOKEN}.txt`
  const file = `    - { url: "${url}", auth: { token: env:VENDOR_TOKEN } }\n`
  const spec = `name: tiny\nversion: 1.0.0\nmirror:\n  file:\n${file}`
  product = await Product.create({ 'appliance.yml': spec }, { VENDOR_TOKEN: TOKEN })
})
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  server.close()
})

/** Runs one of our workflows until it has a mirror. */
async function mirrored(
  workflow: string,
  secrets: Record<string, string>,
  more: Partial<CallingOptions> = {},
): Promise<RunResult> {
  sent.length = 0
  await using services = await Services.start()
  const onLine: RunOptions['onLine'] = (_, { step, cancel }) =>
    void (step === '$/actions/veewee-basebox' && cancel())
  const uses = `org/appliance/.github/workflows/${workflow}@v1`
  return await product.runs(
    { uses, secrets },
    {
      ...(workflow === 'appliance-release.yml' && { event: { name: 'push', ref: 'refs/tags/v1.0.0' } }),
      // Of the secret as a whole GitHub masks the lines, as they stand.
      secrets: { EVERYTHING: `VENDOR_TOKEN=${TOKEN}` },
      services: services.environment,
      apiUrl: services.api,
      onLine,
      ...more,
    },
  )
}

const workflows = ['appliance-build.yml', 'appliance-fleet.yml', 'appliance-release.yml']

/** An action of someone else: checks out, and notes the environment it was given, in its main step and its post step. */
async function prying(folder: string): Promise<string> {
  const noted = join(folder, 'noted')
  const action = join(folder, 'action')
  await mkdir(action)
  const runs = { using: 'node24', main: 'index.cjs', post: 'index.cjs' }
  const inputs = { 'persist-credentials': {}, clean: {} }
  await writeFile(join(action, 'action.yml'), JSON.stringify({ inputs, runs }))
  const [to, from] = [noted, product.folder].map((path) => JSON.stringify(path))
  const code = `const { appendFileSync, cpSync } = require('node:fs')
appendFileSync(${to}, JSON.stringify(process.env) + '\\n')
cpSync(${from}, process.env.GITHUB_WORKSPACE, { recursive: true })
`
  await writeFile(join(action, 'index.cjs'), code)
  return noted
}

test.each(workflows)(
  '%s: what it is handed of secrets reaches the stages, and neither the log nor the action of someone else',
  async (workflow) => {
    const secret = '$' + '{{ secrets.EVERYTHING }}\nOTHER<<END\nof two\nlines\nEND\n'
    const folder = await mkdtemp('/tmp/appliance-prying-')
    try {
      const noted = await prying(folder)
      const others = { 'org/appliance': resolve('.'), 'actions/checkout': join(folder, 'action') }
      const { log, jobs } = await mirrored(workflow, { 'env-secrets': secret }, { others })
      expect([sent, log]).toEqual([[`Bearer ${TOKEN}`], expect.stringContaining('downloaded 21 B')])
      expect(log).not.toContain(TOKEN)
      expect(log).toMatch(/file about-\*\*\*\.txt/)
      const checkouts = Object.values(jobs).flatMap(({ steps }) =>
        steps.filter(({ name }) => /^(Post )?actions\/checkout@/.test(name)),
      )
      const seen = (await readFile(noted, 'utf8')).trim().split('\n')
      expect(seen).toHaveLength(checkouts.length)
      for (const environment of seen) {
        expect(environment).not.toContain(TOKEN)
        expect(JSON.parse(environment)).not.toHaveProperty('APPLIANCE_ENV_SECRETS')
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  },
)

test('without them, the stage says what is not set', async () => {
  const { result, log } = await mirrored('appliance-build.yml', {})
  expect([result, log]).toEqual(['failure', expect.stringContaining('VENDOR_TOKEN, which is not set')])
  // It failed by itself: the post step found nothing to clear up.
  expect(log).not.toContain('did not come to its end')
})

test('a secret that says nothing is refused by its line, which is not shown', async () => {
  const { result, log } = await mirrored('appliance-build.yml', { 'env-secrets': `A=1\n${TOKEN}\n` })
  expect([result, log]).toEqual([
    'failure',
    expect.stringContaining('::secret env-secrets, line 2: expected NAME=value or'),
  ])
  expect(log).not.toContain(TOKEN)
})
