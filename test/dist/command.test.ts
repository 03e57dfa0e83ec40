import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { run } from '../../actions/lib/process/command.ts'
import { dist, node24 } from './emulator/step.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp('/tmp/appliance-command-')
  await writeFile(join(folder, 'data.txt'), 'data\n')
})
afterEach(() => rm(folder, { recursive: true }))

const spec = (text: string) => writeFile(join(folder, 'appliance.yml'), `name: tiny\nversion: 1.0.0\n${text}`)

function appliance(...args: string[]) {
  const env = { APPLIANCE_CACHE: 'off', RUNNER_DEBUG: undefined }
  return run(node24, [join(dist, 'cli/index.js'), ...args], { cwd: folder, env, allowFailure: true })
}

test('a slip in a command or a flag is met with a suggestion and status 1', async () => {
  expect(await appliance('mirror-dpes')).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(/^error: there is no command mirror-dpes; did you mean mirror-deps\?.*\n$/),
  })
  expect(await appliance('mirror-deps', '--froozen', '--spec')).toMatchObject({
    status: 1,
    stderr:
      'error: there is no flag --froozen; did you mean --frozen?\nerror: --spec needs a value: a file or folder\n',
  })
})

test('faults name file, line and column, each on a line of its own', async () => {
  await spec('mirror:\n  file:\n    - { url: nowhere, nmae: x }\n    - 7\n')
  const { status, stderr } = await appliance('check')
  expect(status).toBe(1)
  const lines = stderr.trimEnd().split('\n')
  expect(lines.length).toBeGreaterThanOrEqual(2)
  for (const line of lines) expect(line).toMatch(/^error: appliance\.yml:[56]:\d+: /)
})

test('a recipe that is no Ruby is shown by check and by build beside all other faults, before anything is fetched or booted', async () => {
  await spec(`mirror:
  deb: [{ name: debian, uri: "https://deb.debian.org/debian", suites: [bookworm], packages: [sudo] }]
  gem: [{ name: chef, gems: { chef-bin: "~> 18.4" }, for: tools }]
basebox: { bootstrap: { suite: bookworm } }
chef: { license: accept }
provision:
  - chef_solo: { cookbooks: cookbooks, run_list: [web] }
validate: { scenarios: scenarios }
`)
  await mkdir(join(folder, 'scenarios'))
  await writeFile(join(folder, 'scenarios/starts.yml'), 'name: starts\nsteps: [bott]\n')
  await mkdir(join(folder, 'cookbooks/web/recipes'), { recursive: true })
  await writeFile(join(folder, 'cookbooks/web/metadata.rb'), "name 'web'\n")
  await writeFile(join(folder, 'cookbooks/web/recipes/default.rb'), "package 'nginx\n")
  for (const command of ['check', 'build'])
    expect(await appliance(command)).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^error: cookbooks\/web\/recipes\/default\.rb:1:9: syntax error: .*\nerror: {3}1 \| package 'nginx\n.*\nerror: scenarios\/starts\.yml:2:9: /,
      ),
    })
  await expect(access(join(folder, 'build/mirror-deps'))).rejects.toMatchObject({ code: 'ENOENT' })
})

test('--json says everything in objects, one a line', async () => {
  await spec('mirror:\n  file:\n    - { url: nowhere }\n')
  const { status, stdout, stderr } = await appliance('check', '--json')
  expect([status, stderr]).toEqual([1, ''])
  const [line, ...more] = stdout.trimEnd().split('\n')
  expect(more).toEqual([])
  expect(JSON.parse(line!)).toMatchObject({
    level: 'error',
    code: 'input',
    faults: [{ file: 'appliance.yml', line: 5, message: expect.stringContaining('address') }],
  })
})

test('stacks are for those who debug: by the flag, or as a workflow says it', async () => {
  await spec('mirror:\n  file:\n    - { url: nowhere }\n')
  const shown = async (flags: string[], RUNNER_DEBUG: string | undefined) => {
    const args = [join(dist, 'cli/index.js'), 'check', ...flags]
    const { stderr } = await run(node24, args, { cwd: folder, env: { RUNNER_DEBUG }, allowFailure: true })
    return /^ {6}at /m.test(stderr)
  }
  expect([await shown([], undefined), await shown([], '1'), await shown(['--debug'], undefined)]).toEqual([
    false,
    true,
    true,
  ])
})

test('a stage runs, is up to date in a blink, and its spec may lie elsewhere', async () => {
  await mkdir(join(folder, 'product'))
  await spec(`mirror:\n  file:\n    - url: file://${folder}/data.txt\n`)
  await run('mv', [join(folder, 'appliance.yml'), join(folder, 'product/tiny.yml')])
  const where = ['--working-directory', 'product', '--spec', 'tiny.yml']
  const first = await appliance('mirror-deps', ...where)
  expect(first).toMatchObject({ status: 0, stderr: '' })
  expect(first.stdout).toContain(`mirror: ${folder}/product/build/mirror-deps/tree\n`)
  const second = await appliance('mirror-deps', ...where)
  expect(second.stdout).toMatch(/mirror-deps: up to date\n$/)
  const missing = await appliance('vm-validate', '--ova', 'nowhere.ova', ...where)
  expect(missing).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`there is no OVA ${folder}/product/nowhere.ova`),
  })
})

test('help COMMAND says what COMMAND --help says', async () => {
  const { stdout } = await appliance('help', 'init')
  expect(stdout).toMatch(/^appliance init: .*\n\n {2}--working-directory .*\n {2}--example .*\n$/)
  expect(await appliance('init', '--help')).toMatchObject({ stdout })
  expect((await appliance('help', 'lnit')).stderr).toContain('did you mean')
})

test('what is no OVA at all is met with sentences, not with ids of rules', async () => {
  expect(await appliance('verify', 'data.txt')).toMatchObject({
    status: 1,
    stdout: expect.stringMatching(
      /^WRONG +archive: There is no tar header where .*\nWRONG +manifest: There is no manifest/m,
    ),
    stderr: expect.stringMatching(
      /^error: data\.txt is not as its maker made it, or not whole: archive, manifest, disk\n/,
    ),
  })
  await writeFile(join(folder, 'disk.qcow2'), 'x')
  expect((await appliance('verify', 'disk.qcow2')).stderr).toMatch(
    /^error: \S*disk\.qcow2: verify looks into OVAs; .*sha256sum --ignore-missing -c SHA256SUMS\n/,
  )
  expect(await appliance('verify', 'data.txt', '--certificate', 'data.txt')).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(/^error: --certificate: \S*data\.txt is no PEM certificate/),
  })
})

test('whoever reads the output may stop listening', async () => {
  const command = `"$0" "$1" help | head -1`
  const { stdout, stderr } = await run('bash', ['-c', command, node24, join(dist, 'cli/index.js')])
  expect([stdout, stderr]).toEqual(['appliance COMMAND [--flag …]\n', ''])
})
