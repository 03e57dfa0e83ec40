import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { run } from '../../actions/lib/process/command.ts'
import { Workspace } from './emulator/step.ts'

let workspace: Workspace
beforeEach(async () => {
  workspace = await Workspace.create()
})
afterEach(() => workspace[Symbol.asyncDispose]())

const errors = (stdout: string) => stdout.split('\n').filter((line) => line.startsWith('::error'))

test('every fault of the spec is an annotation at its place, and nothing else happens', async () => {
  await writeFile(workspace.path('appliance.yml'), 'nmae: tiny\nversion: 1.0.0\nmirror:\n  fil: []\n')
  const { status, stdout, stderr, outputs } = await workspace.run('mirror-deps')
  expect(status).toBe(1)
  expect(stderr).toBe('')
  expect(outputs).toEqual({})
  const said = errors(stdout)
  expect(said).toContainEqual(expect.stringMatching(/^::error .*file=appliance\.yml,line=1,.*nmae.*name/))
  expect(said).toContainEqual(expect.stringMatching(/^::error .*file=appliance\.yml,line=4,.*fil\b.*file/))
  expect(stdout).not.toMatch(/^ {4}at /m)
})

test('annotations name files from the workspace on', async () => {
  await mkdir(workspace.path('one'))
  await writeFile(workspace.path('one/appliance.yml'), 'name: [1]\n')
  const { stdout } = await workspace.run('mirror-deps', { 'working-directory': 'one' })
  expect(errors(stdout).join('\n')).toContain('file=one/appliance.yml,')
})

test('without a spec one is told of the checkout and of the inputs, not of flags', async () => {
  const { status, stdout } = await workspace.run('ova-pack', { upload: 'false' })
  expect([status, errors(stdout)]).toEqual([
    1,
    [
      `::error title=appliance,file=appliance.yml::there is no such file in ${workspace.directory}; check your repository out before (actions/checkout), and say by working-directory and spec where in it the spec lies`,
    ],
  ])
})

test('wrong inputs are told all at once, with what was expected', async () => {
  await writeFile(workspace.path('appliance.yml'), 'name: tiny\nversion: 1.0.0\n')
  const { status, stdout } = await workspace.run('mirror-deps', { frozen: 'yes', verify: 'TRUE' })
  expect(status).toBe(1)
  expect(errors(stdout)).toEqual([
    '::error title=appliance::input verify: expected true or false, got "TRUE"',
    '::error title=appliance::input frozen: expected true or false, got "yes"',
  ])
})

test('where the disk is full, so that no summary can be written, what went wrong is told all the same', async () => {
  const { status, stdout } = await workspace.run(
    'ova-pack',
    { upload: 'false' },
    { GITHUB_STEP_SUMMARY: '/dev/full' },
  )
  expect([status, errors(stdout)]).toEqual([1, [expect.stringContaining('there is no such file in')]])
  expect(stdout).toMatch(/^::warning::the job's summary could not be written: ENOSPC/m)
})

test('what results are carried by is a word or a folder that others can have, too', async () => {
  const { status, stdout } = await workspace.run('plan', { carry: 'artifacts' })
  expect([status, errors(stdout)]).toEqual([
    1,
    [
      '::error title=appliance::input carry: expected artifact, or the absolute path of a folder that all runners share, got "artifacts"',
    ],
  ])
})

test('the runner shows ten annotations; the rest stands in the log', async () => {
  const entries = Array.from({ length: 15 }, (_, index) => `    - { name: n${index}, url: nowhere }`)
  await writeFile(
    workspace.path('appliance.yml'),
    `name: tiny\nversion: 1.0.0\nmirror:\n  file:\n${entries.join('\n')}\n`,
  )
  const { stdout } = await workspace.run('mirror-deps')
  expect(errors(stdout)).toHaveLength(10)
  expect(errors(stdout).at(-1)).toContain("6 more faults are in this step's log")
  for (let line = 5; line < 20; line++) expect(stdout).toMatch(new RegExp(`(line=|yml:)${line}\\b`))
})

test.each([{}, { tags: 'slow' }, { scenario: 'boot' }])(
  'what vm-validate needs is carried to it, whatever part is run: %j',
  async (part) => {
    await cp('examples/license-server', workspace.directory, {
      recursive: true,
      filter: (path) => !path.endsWith('license-server/build'),
    })
    const shared = workspace.path('shared')
    await mkdir(shared)
    const { status, stdout } = await workspace.run('vm-validate', { carry: shared, ...part })
    expect([status, errors(stdout).join()]).toEqual([
      1,
      expect.stringMatching(/vm-validate: appliance-veewee-basebox-[0-9a-f]{20}\.json is not in .*shared/),
    ])
  },
)

test('so is what only the stage itself finds wrong, in a folder of its own', async () => {
  await mkdir(workspace.path('product/scenarios'), { recursive: true })
  await writeFile(
    workspace.path('product/appliance.yml'),
    'name: tiny\nversion: 1.0.0\nvalidate: { scenarios: scenarios }\n',
  )
  await writeFile(
    workspace.path('product/scenarios/one.yml'),
    'name: One\nsteps:\n  - upload: { from: nothing.tar, to: /x }\n  - run: { command: x, stdout: "(" }\n',
  )
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', workspace.path('disk.qcow2'), '1M'])
  const given = { spec: 'product/appliance.yml', disk: 'disk.qcow2' }
  const { stdout } = await workspace.run('vm-validate', given)
  expect(errors(stdout)).toEqual([
    expect.stringMatching(/^::error .*file=product\/scenarios\/one\.yml,line=3::there is no nothing\.tar/),
    expect.stringMatching(/^::error .*file=product\/scenarios\/one\.yml,line=4::stdout: /),
  ])
})

test.each([
  ['veewee-basebox', 'Run `appliance lock`'],
  ['chef-provision', 'Use veewee-basebox in a step before this one, in the same job'],
  ['vm-validate', 'Use chef-provision in a step before this one, in the same job'],
  ['ova-pack', 'Use chef-provision in a step before this one, in the same job'],
])('%s says what has to be done first', async (stage, first) => {
  await writeFile(
    workspace.path('appliance.yml'),
    'name: tiny\nversion: 1.0.0\nmirror: { deb: [{ name: debian, uri: "https://deb.debian.org/debian", suites: [bookworm] }] }\nbasebox: { bootstrap: { suite: bookworm } }\n',
  )
  const { status, stdout, summary } = await workspace.run(stage)
  expect(status).toBe(1)
  expect(errors(stdout)).toHaveLength(1)
  expect(stdout).toContain(`\n  ${first}`)
  expect(summary).toContain(`### ❌ ${stage} failed`)
})

test('a stage that fails is the first row of the one table of what the job did before it', async () => {
  await writeFile(workspace.path('data.txt'), 'x')
  const spec = `name: tiny\nversion: 1.2.3\nmirror: { file: [{ url: file://${workspace.path('data.txt')} }] }\n`
  await writeFile(workspace.path('appliance.yml'), spec)
  await workspace.lock()
  const run = { GITHUB_REPOSITORY: 'someone/tiny', GITHUB_RUN_ID: '7' }
  expect((await workspace.run('mirror-deps', {}, run)).summary).not.toContain('| stage |')
  const { summary } = await workspace.run('ova-pack', {}, run)
  expect(summary.split('\n')).toEqual([
    '## ❌ tiny 1.2.3',
    '',
    '[run 7](https://github.com/someone/tiny/actions/runs/7)',
    '',
    '| | stage | time | result |',
    '|---|---|---:|---|',
    expect.stringMatching(/^\| ❌ \| ova-pack \| \| .+ \|$/),
    expect.stringMatching(/^\| ✅ \| mirror-deps \| [\d.]+ s \| {2}\|$/),
    '### ❌ ova-pack failed',
    ...Array.from({ length: summary.split('\n').length - 9 }, () => expect.any(String)),
  ])
})

test('all five at once stop where the first one fails', async () => {
  const data = workspace.path('..', 'data.txt')
  await writeFile(data, 'what the appliance needs')
  const spec = `name: tiny\nversion: 1.0.0\nmirror:\n  file:\n    - url: file://${data}\n`
  await writeFile(workspace.path('appliance.yml'), spec)
  await workspace.lock()
  await rm(data)
  const { status, stdout, outputs } = await workspace.run('appliance')
  expect(status).toBe(1)
  expect(errors(stdout)).toEqual([expect.stringContaining('data.txt')])
  expect(outputs).toEqual({})
  // Said before anything is downloaded: this runner keeps no artifacts.
  expect(stdout.indexOf('will stay in the workspace')).toBeLessThan(stdout.indexOf('::error'))
})
