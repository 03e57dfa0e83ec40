import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { InputError } from '../../../actions/lib/errors/fault.ts'
import { readSpec } from '../../../actions/lib/spec/read.ts'
import { readScenarios } from '../../../actions/lib/spec/scenarios.ts'

const good = `name: license-server
version: 1.4.0
mirror:
  deb:
    - name: debian
      uri: https://deb.debian.org/debian
      suites: [bookworm]
      packages: [nginx-light]
      signed_by: keys/debian.gpg
  gem:
    - { name: app, gemfile: app/Gemfile }
  git:
    - { url: catalogue.bundle, ref: v1 }
tools: { signed_by: keys/debian.gpg }
basebox:
  bootstrap: { suite: bookworm }
provision:
  - shell: prepare.sh
  - chef_solo: { cookbooks: cookbooks, run_list: ["recipe[web]"], attributes: { port: 80 } }
    timeout: 20 min
first_boot: [prepare.sh]
validate: { scenarios: scenarios, listens: [80/tcp] }
secrets: { admin: generate }
pack:
  hardware: { memory: 2 GiB }
`

const scenario = `name: It works
tags: [smoke]
steps:
  - boot
  - run: web configure --password "$PASSWORD"
    env: { PASSWORD: "{{secret.admin}}" }
  - port: 80
    eventually: 30 s
  - get: { path: /, expect: { status: 200 } }
    save: page
  - run: test "{{page}}"
`

let folder: string

async function put(files: Record<string, string>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'appliance-spec-'))
  await put({
    'appliance.yml': good,
    'scenarios/works.yml': scenario,
    'prepare.sh': '',
    'app/Gemfile': '',
    'keys/debian.gpg': '',
    'cookbooks/web/recipes/default.rb': '',
  })
})

afterEach(() => rm(folder, { recursive: true }))

const read = () => readSpec(join(folder, 'appliance.yml'))

/** The lines of the error that reading gives. */
async function faults(): Promise<string[]> {
  const error = (await read().then(
    () => undefined,
    (thrown) => thrown,
  )) as InputError | undefined
  return error?.message.split('\n') ?? []
}

/** The good spec with one thing changed. */
const change = (from: string | RegExp, to: string, file = 'appliance.yml', text = good) =>
  put({ [file]: text.replace(from, to) })

describe('a good spec', () => {
  test('is normalised: sizes in bytes, times in ms, paths absolute, defaults filled in', async () => {
    const spec = await read()
    expect(spec.pack.hardware.memory).toBe(2 * 2 ** 30)
    expect(spec.basebox).toMatchObject({ cpus: 2, memory: 2 ** 30, disk: 10 * 2 ** 30 })
    expect(spec.provision[0]).toEqual({ kind: 'shell', file: join(folder, 'prepare.sh'), inline: undefined })
    expect(spec.provision[1]).toMatchObject({
      kind: 'chef_solo',
      timeout: 1_200_000,
      attributes: { port: 80 },
    })
    expect(spec.mirror.git[0]).toMatchObject({ name: 'catalogue', path: join(folder, 'catalogue.bundle') })
    expect(spec.tools).toMatchObject({ uri: 'https://deb.debian.org/debian', suite: 'trixie' })
  })

  test('takes its version from the release instead', async () => {
    expect((await readSpec(join(folder, 'appliance.yml'), { version: '2.0.0' })).version).toBe('2.0.0')
  })

  test('has its scenarios, with the line of every step', async () => {
    const [works] = await readScenarios(await read(), folder)
    expect(works).toMatchObject({ name: 'It works', file: 'scenarios/works.yml', lines: [4, 5, 7, 9, 11] })
    expect(works!.steps[2]).toEqual({
      kind: 'port',
      port: 80,
      state: 'open',
      protocol: 'tcp',
      eventually: 30_000,
    })
  })
})

describe('what is wrong is one line, with its place', () => {
  const cases: [string, string | RegExp, string, string][] = [
    [
      'a misspelt key',
      'first_boot:',
      'frist_boot:',
      'appliance.yml:21:1: unknown key frist_boot; did you mean first_boot?',
    ],
    [
      'a misspelt key, deep inside',
      'suites:',
      'siutes:',
      'appliance.yml:7:7: unknown key siutes; did you mean suites?',
    ],
    [
      'a size without unit',
      '2 GiB',
      '2',
      'appliance.yml:25:15: pack.hardware.memory: expected a size such as 2 GiB, got 2',
    ],
    [
      'a wrong type',
      '[nginx-light]',
      'nginx-light',
      'appliance.yml:8:7: mirror.deb[1].packages: expected a list of packages, got "nginx-light"',
    ],
    [
      'a missing key',
      'version: 1.4.0\n',
      '',
      'appliance.yml:1:1: version: a version in quotes or with two dots, e.g. 1.4.0 is missing',
    ],
    [
      'a step that does not exist',
      'shell: prepare.sh',
      'shel: prepare.sh',
      'appliance.yml:18:5: provision[1].shel: there is no step shel; did you mean shell?',
    ],
    [
      'a planned step',
      'shell: prepare.sh',
      'capistrano: {}',
      'appliance.yml:18:5: provision[1].capistrano: step capistrano is not supported yet',
    ],
    [
      'two kinds in one step',
      'shell: prepare.sh',
      'shell: prepare.sh\n    upload: {}',
      'appliance.yml:18:5: provision[1]: one step does one thing, this one has shell and upload: make two steps of it',
    ],
    ['a recipe that is not there', 'recipe[web]', 'recipe[web::db]', 'cookbooks/web/recipes/db.rb'],
    [
      'a planned section',
      'pack:',
      'pack:\n  sign: {}',
      'appliance.yml:25:3: pack.sign: pack.sign is not supported yet',
    ],
    [
      'a duplicate key',
      'version: 1.4.0',
      'version: 1.4.0\nname: again',
      'appliance.yml:3:1: Map keys must be unique',
    ],
    [
      'hardware smaller than the build',
      '2 GiB',
      '512 MiB',
      'appliance.yml:25:15: pack.hardware.memory: pack.hardware.memory may be larger than basebox.memory, never smaller',
    ],
  ]
  test.each(cases)('%s', async (_, from, to, expected) => {
    await change(from, to)
    const found = await faults()
    expect(found.filter((line) => line.includes(expected))).toHaveLength(1)
  })

  test('a file that is not there', async () => {
    await rm(join(folder, 'prepare.sh'))
    expect(await faults()).toEqual([
      `appliance.yml:18:5: provision[1].shell: there is no prepare.sh in ${folder}`,
      `appliance.yml:21:14: first_boot[1]: there is no prepare.sh in ${folder}`,
    ])
  })

  test('a step of a scenario that does not exist, and a value nobody gives', async () => {
    await change('port: 80', 'prot: 80', 'scenarios/works.yml', scenario)
    expect(await faults()).toEqual([
      'scenarios/works.yml:7:5: steps[3].prot: there is no step prot; did you mean port?',
    ])
    await change('secret.admin', 'secret.amdin', 'scenarios/works.yml', scenario)
    expect(await faults()).toEqual([
      'scenarios/works.yml:5:5: {{secret.amdin}} is not known here; did you mean {{secret.admin}}?',
    ])
  })

  test('and all of it at once, spec and scenarios', async () => {
    await put({
      'appliance.yml': good.replace('suites:', 'siutes:').replace('2 GiB', '2'),
      'scenarios/works.yml': scenario.replace('boot', 'boto'),
    })
    const found = await faults()
    expect(found).toHaveLength(4)
    expect(found.at(-1)).toBe(
      'scenarios/works.yml:4:5: steps[1].boto: there is no step boto; did you mean boot?',
    )
  })
})
