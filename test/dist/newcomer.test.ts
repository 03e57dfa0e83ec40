import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { run } from '../../actions/lib/process/command.ts'
import { node24 } from './emulator/step.ts'
import { readWorkflow } from './runner/workflow.ts'

let folder: string
/** Beside what the command has of ours. */
let environment: Record<string, string | undefined>

beforeEach(async () => {
  folder = await mkdtemp('/tmp/appliance-newcomer-')
  environment = {}
})
afterEach(() => rm(folder, { recursive: true }))

async function appliance(...args: string[]): Promise<{ status: number; said: string }> {
  const all = [resolve('dist/cli/index.js'), ...args, '--working-directory', folder]
  const { status, stdout, stderr } = await run(node24, all, {
    allowFailure: true,
    env: { GITHUB_ACTIONS: undefined, APPLIANCE_CACHE: join(folder, 'cache'), ...environment },
  })
  return { status, said: stdout + stderr }
}

test.each(['minimal', 'license-server'])(
  'init --example %s makes a folder without a fault',
  async (example) => {
    expect(await appliance('init', '--example', example)).toMatchObject({ status: 0 })
    const names = await readdir(folder)
    expect(names).toEqual(
      expect.arrayContaining(['.github', '.gitignore', 'README.md', 'cookbooks', 'scenarios', 'schema']),
    )
    expect(names).not.toContain('appliance.lock.json')
    const { status, said } = await appliance('check')
    expect([status, said]).toEqual([0, expect.stringContaining('no fault found')])
    for (const name of await readdir(join(folder, '.github/workflows'))) {
      const { jobs } = await readWorkflow(join(folder, '.github/workflows', name))
      expect(Object.values(jobs).map((job) => job.with)).toEqual([undefined])
    }
    const spec = await readFile(join(folder, 'appliance.yml'), 'utf8')
    const [, schema] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(spec)!
    expect(JSON.parse(await readFile(join(folder, schema!), 'utf8'))).toHaveProperty('properties.mirror')
    const [scenario] = await readdir(join(folder, 'scenarios'))
    expect(await readFile(join(folder, 'scenarios', scenario!), 'utf8')).toMatch(
      /^# yaml-language-server: \$schema=\.\.\/schema\/scenario\.schema\.json\n/,
    )
  },
)

test('init --example rpm lacks nothing but the distribution’s key, and says so', async () => {
  await appliance('init', '--example', 'rpm')
  const { said } = await appliance('check')
  expect(said.match(/error: .*/g)).toEqual([
    expect.stringContaining('gpgkey: there is no keys/RPM-GPG-KEY-Rocky-9'),
    expect.stringContaining('gpgkey: there is no keys/RPM-GPG-KEY-Rocky-9'),
  ])
})

test('init overwrites nothing, and names all that is in the way before it writes', async () => {
  await writeFile(join(folder, 'appliance.yml'), 'mine')
  await mkdir(join(folder, 'scenarios'))
  await writeFile(join(folder, 'scenarios/answers.yml'), 'mine')
  const { status, said } = await appliance('init')
  expect(status).toBe(1)
  expect(said).toMatch(/appliance\.yml: is there already/)
  expect(said).toMatch(/scenarios\/answers\.yml: is there already/)
  expect((await readdir(folder)).sort()).toEqual(['appliance.yml', 'scenarios'])
})

test('a README and a .gitignore that are there stay; the latter gets build/', async () => {
  await writeFile(join(folder, 'README.md'), 'mine')
  await writeFile(join(folder, '.gitignore'), '*.log')
  expect(await appliance('init')).toMatchObject({ status: 0 })
  expect(await readFile(join(folder, 'README.md'), 'utf8')).toBe('mine')
  expect(await readFile(join(folder, '.gitignore'), 'utf8')).toBe('*.log\nbuild/\n')
})

test('below the top of a repository the workflows say so, and one is told where GitHub looks for them', async () => {
  await mkdir(join(folder, '.git'))
  const product = join(folder, 'products/one')
  const { status, stdout, stderr } = await run(
    node24,
    [resolve('dist/cli/index.js'), 'init', '--working-directory', product],
    { env: { GITHUB_ACTIONS: undefined } },
  )
  expect([status, stdout + stderr]).toEqual([
    0,
    expect.stringContaining(`top of a repository alone: move .github/workflows to ${folder}\n`),
  ])
  for (const name of ['appliance', 'release']) {
    const { jobs } = await readWorkflow(join(product, `.github/workflows/${name}.yml`))
    expect(Object.values(jobs)).toEqual([
      expect.objectContaining({ with: { 'working-directory': 'products/one' } }),
    ])
  }
})

test('gc names what may go with its size, takes it only when told, and nothing that is in use', async () => {
  const data = join(folder, 'data.bin')
  await writeFile(data, Buffer.alloc(20_000, 'x'))
  await writeFile(
    join(folder, 'appliance.yml'),
    `name: tiny\nversion: 1.0.0\nmirror:\n  file:\n    - url: file://${data}\n`,
  )
  expect(await appliance('mirror-deps')).toMatchObject({ status: 0 })
  expect((await appliance('gc')).said).toContain('nothing may go')
  const store = join(folder, 'build/mirror-deps/store/sha256')
  const [used] = await readdir(store)
  const old = 'ab'.padEnd(64, '0')
  await mkdir(join(store, 'ab'), { recursive: true })
  await writeFile(join(store, 'ab', old), Buffer.alloc(40_000, 'y'))
  await mkdir(join(folder, 'build/.work'), { recursive: true })
  await writeFile(join(folder, 'build/.work/half.qcow2'), Buffer.alloc(8192, 'z'))
  await symlink('/etc', join(folder, 'build/.work/link'))
  await mkdir(join(folder, 'build/veewee-basebox'))
  await writeFile(join(folder, 'build/veewee-basebox/half.qcow2'), Buffer.alloc(8192, 'z'))

  const ruby = join(folder, 'build/mirror-deps/ruby')
  const longAgo = new Date(Date.now() - 31 * 24 * 3_600_000)
  for (const name of ['used', 'unused', 'half.partial']) {
    await mkdir(join(ruby, name, 'usr'), { recursive: true })
    if (name === 'unused') await utimes(join(ruby, name), longAgo, longAgo)
  }

  const tools = join(folder, 'build/tools')
  for (const name of ['gems-0a1b', 'of-another-lock'])
    await mkdir(join(tools, name, 'lib'), { recursive: true })

  const told = await appliance('gc')
  expect(told.said).toMatch(/41\.0 kB {2}1 artefacts that the lock does not name/)
  expect(told.said).toMatch(/left by a build that was ended: .*\.work/)
  expect(told.said).toMatch(/veewee-basebox, which did not come to its end/)
  expect(told.said).toMatch(/a root that nothing was resolved in for 30 days: .*\/unused$/m)
  expect(await readdir(store)).toContain('ab')

  expect((await appliance('gc', '--yes')).said).toContain('are free')
  expect(await readdir(join(store, 'ab'))).toEqual([])
  expect(await readdir(join(store, used!))).toHaveLength(1)
  expect(await readdir(ruby)).toEqual(['used'])
  expect(await readdir(tools)).toEqual(['gems-0a1b'])
  expect(await readdir(join(folder, 'build'))).toEqual(
    expect.not.arrayContaining(['.work', 'veewee-basebox']),
  )
  expect((await readdir('/etc')).length).toBeGreaterThan(10)
  expect((await appliance('mirror-deps')).said).toContain('up to date')
})

test('gc --caches says all that it needs to look there', async () => {
  expect(await appliance('init')).toMatchObject({ status: 0 })
  environment = { GITHUB_REPOSITORY: undefined, GITHUB_TOKEN: undefined, GH_TOKEN: undefined }
  const { status, said } = await appliance('gc', '--caches')
  expect([status, said]).toEqual([
    1,
    expect.stringMatching(/GITHUB_REPOSITORY is not set.*\n.*GITHUB_TOKEN is not set/),
  ])
})
