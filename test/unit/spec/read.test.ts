import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
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
    - { name: chef, gems: { chef-bin: ~> 18.4 }, for: tools }
  git:
    - { url: catalogue.bundle, ref: v1 }
tools: { signed_by: keys/debian.gpg }
basebox:
  bootstrap: { suite: bookworm }
chef: { license: accept }
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
    'catalogue.bundle': '',
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
    expect(works).toMatchObject({ name: 'It works', file: 'scenarios/works.yml', line: 1 })
    expect(works!.steps.map(({ line }) => line)).toEqual([4, 5, 7, 9, 11])
    expect(works!.steps[2]).toEqual({
      kind: 'port',
      port: 80,
      state: 'open',
      protocol: 'tcp',
      eventually: 30_000,
      line: 7,
    })
  })
})

// Stages depend on it to the letter: another order is another fingerprint.
test('keys are in the order of the schema, whatever had to be looked for on the disk', async () => {
  const { validate } = await read()
  const keys = Object.keys(validate)
  expect(keys.indexOf('scenarios')).toBeLessThan(keys.indexOf('listens'))
})

describe('what is wrong is one line, with its place', () => {
  const top =
    'name, version, product, mirror, tools, basebox, chef, provision, cache, package_sources, first_boot, validate, pack, variables, secrets, network, escapes, accel'
  const cases: [string, string | RegExp, string, string[]][] = [
    [
      'a misspelt key',
      'first_boot:',
      'frist_boot:',
      [`23:1: unknown key frist_boot; did you mean first_boot? Known here: ${top}`],
    ],
    [
      'two misspelt keys, each at its own place',
      'suites: [bookworm]\n      packages:',
      'siutes: [bookworm]\n      zzz:',
      [
        '5:7: mirror.deb[1].suites is missing: expected a list of suites',
        '7:7: unknown key siutes; did you mean suites? Known here: name, uri, suites, components, architectures, packages, priority, pins, snapshot, signed_by',
        '8:7: unknown key zzz; known here: name, uri, suites, components, architectures, packages, priority, pins, snapshot, signed_by',
      ],
    ],
    [
      'a size without unit',
      '2 GiB',
      '2',
      ['27:15: pack.hardware.memory: expected a size such as 2 GiB, got 2'],
    ],
    [
      'a time without unit',
      '20 min',
      '20',
      ['22:5: provision[2].timeout: expected a time such as 20 min, got 20'],
    ],
    [
      'a list that is none',
      '[nginx-light]',
      'nginx-light',
      ['8:7: mirror.deb[1].packages: expected a list of packages, got "nginx-light"'],
    ],
    [
      'a section left empty',
      'secrets: { admin: generate }',
      'product:',
      [
        '25:1: product: expected a map with title, vendor, url; got nothing',
        'scenarios/works.yml:6:12: steps[2].env.PASSWORD: {{secret.admin}} is not known here; give it under variables: or secrets: in the spec, or save it in an earlier step',
      ],
    ],
    [
      'a missing key',
      'version: 1.4.0\n',
      '',
      ['1:1: version is missing: expected a version such as 1.4.0, in quotes if it has fewer than two dots'],
    ],
    [
      'a version that is a number',
      '1.4.0',
      '1.4',
      ['2:1: version: expected a version such as 1.4.0, in quotes if it has fewer than two dots; got 1.4'],
    ],
    [
      'a word nobody knows',
      'basebox:',
      'network: privat\nbasebox:',
      ['16:1: network: expected one of auto, private, user; got "privat"; did you mean private?'],
    ],
    [
      'a matrix for a driver that has not all the hardware',
      'listens: [80/tcp]',
      'hypervisor: virtualbox, matrix: { cpus: [1, 2] }',
      ['24:59: validate.matrix: needs hypervisor: qemu, which has all this hardware'],
    ],
    [
      'escapes that are neither to fail nor to warn',
      'basebox:',
      'escapes: ignore\nbasebox:',
      ['16:1: escapes: expected one of fail, warn; got "ignore"'],
    ],
    [
      'an address that is none',
      'https://deb.debian.org/debian',
      'https://',
      [
        '6:7: mirror.deb[1].uri: expected an address that begins with https://, http:// or file://, got "https://"',
      ],
    ],
    [
      'a port beyond all',
      '80/tcp',
      '99999/tcp',
      ['24:45: validate.listens[1]: expected a port such as 80/tcp, got "99999/tcp"'],
    ],
    [
      'a value that is a map',
      'secrets:',
      'variables: { a: { b: c } }\nsecrets:',
      ['25:14: variables.a: expected text, got {"b":"c"}'],
    ],
    [
      'a name no {{…}} can have',
      'secrets:',
      'variables: { 1st: x }\nsecrets:',
      ['25:14: variables.1st: a name is of letters, digits, dot, dash and underscore'],
    ],
    [
      'a secret from nowhere',
      'generate',
      'vault:x',
      ['25:12: secrets.admin: expected env:NAME or generate, never the secret itself'],
    ],
    [
      'a scenario’s value in provisioning',
      'timeout: 20 min',
      'env: { P: "{{secret.admin}}" }',
      ['22:12: provision[2].env.P: {{secret.admin}} is not filled in here: it is for scenarios'],
    ],
    [
      'the appliance’s version in provisioning',
      'shell: prepare.sh',
      'shell: { inline: "echo {{ version }} > /etc/version" }',
      ['20:14: provision[1].shell.inline: {{version}} is not filled in here: it is for scenarios'],
    ],
    [
      'settings that mean nothing to a step',
      'shell: prepare.sh',
      '{ upload: { from: app, to: /opt/app }, as: worker, env: { A: b }, timeout: 1 s }',
      [
        '20:44: provision[1].as: means nothing beside upload; owner: says whose it becomes',
        '20:56: provision[1].env: means nothing beside upload; leave it out',
      ],
    ],
    [
      'a step that does not exist',
      'shell: prepare.sh',
      'shel: prepare.sh',
      [
        '20:5: provision[1].shel: there is no step shel; did you mean shell? There are shell, upload, download, reboot, wait_for, chef_solo, capistrano',
      ],
    ],
    [
      'a step without what it needs',
      'shell: prepare.sh',
      'wait_for: {}',
      ['20:5: provision[1].wait_for: give exactly one of port, file, unit, console'],
    ],
    [
      'two kinds in one step',
      'shell: prepare.sh',
      'shell: prepare.sh\n    upload: { from: app, to: /app }',
      ['20:5: provision[1]: one step does one thing, this one has shell and upload: make two steps of it'],
    ],
    [
      'no kind in a step',
      'shell: prepare.sh',
      'timeout: 3 s',
      [
        '20:5: provision[1]: a step needs one of shell, upload, download, reboot, wait_for, chef_solo, capistrano',
      ],
    ],
    [
      'no step at all',
      'shell: prepare.sh',
      '3',
      [
        '20:5: provision[1]: expected a step: one of shell, upload, download, reboot, wait_for, chef_solo, capistrano',
      ],
    ],
    [
      'a misspelt key beside a kind',
      'timeout:',
      'timout:',
      ['22:5: unknown key timout; did you mean timeout? Known here: name, timeout, as, env, sensitive'],
    ],
    [
      'a key for scenarios only',
      'timeout: 20 min',
      'eventually: 20 min',
      ['22:5: provision[2].eventually is not supported yet in these steps'],
    ],
    [
      'a path in the guest that begins nowhere',
      'shell: prepare.sh',
      'upload: { from: app, to: app }',
      ['20:26: provision[1].upload.to: expected a path in the guest that begins with /, got "app"'],
    ],
    [
      'a recipe that is not there',
      'recipe[web]',
      'recipe[web::defalut]',
      [
        '21:51: provision[2].chef_solo.run_list[1]: there is no cookbooks/web/recipes/defalut.rb; did you mean default?',
      ],
    ],
    [
      'a cookbook that is not there',
      'recipe[web]',
      'recipe[wbe]',
      ['21:51: provision[2].chef_solo.run_list[1]: there is no cookbook wbe; did you mean web?'],
    ],
    [
      'a role',
      'recipe[web]',
      'role[web]',
      ['21:51: provision[2].chef_solo.run_list[1]: the role web needs roles: the folder it is in'],
    ],
    [
      'an entry Chef does not know',
      'recipe[web]',
      'recipe[web',
      [
        '21:51: provision[2].chef_solo.run_list[1]: expected recipe[cookbook] or recipe[cookbook::recipe], got recipe[web',
      ],
    ],
    [
      'attributes that are no JSON',
      '{ port: 80 }',
      'prepare.sh',
      ['21:67: provision[2].chef_solo.attributes: prepare.sh is no JSON: Unexpected end of JSON input'],
    ],
    [
      'a signature by nothing',
      'pack:',
      'pack:\n  sign: { key: env:KEY }',
      ['27:3: pack.sign.certificate is missing: expected a certificate (PEM)'],
    ],
    ['planned keys', 'version: 1.4.0', 'version: 1.4.0\nlogin: {}', ['3:1: login is not supported yet']],
    [
      'a key that is here twice',
      'version: 1.4.0',
      'version: 1.4.0\nname: again',
      ['3:1: key name is here twice; the first is on line 1'],
    ],
    [
      'two sources of one name',
      '{ name: chef, gems',
      '{ name: app, gems',
      ['12:7: mirror.gem[2]: the gem source on line 11 is named app, too'],
    ],
    [
      'neither gemfile nor gems',
      'gemfile: app/Gemfile',
      'for: guest',
      ['11:7: mirror.gem[1]: give either gemfile: or gems:'],
    ],
    [
      'a source that no name can be made of',
      'url: catalogue.bundle',
      'url: .',
      ['14:7: mirror.git[1]: give it a name: . has none'],
    ],
    [
      'hardware smaller than the build',
      '2 GiB',
      '512 MiB',
      ['27:15: pack.hardware.memory: may be larger than basebox.memory, 1 GiB, never smaller'],
    ],
    [
      'a Vagrant box of several disks',
      'pack:\n  hardware: { memory: 2 GiB }',
      'pack:\n  formats: [ova, box]\n  hardware: { memory: 2 GiB, data_disks: [{ size: 1 GiB }] }',
      ['27:18: pack.formats[2]: a box holds one disk, and data_disks names more'],
    ],
    [
      'more disks and cards than there is room for',
      'pack:\n  hardware: { memory: 2 GiB }',
      `pack:\n  hardware:\n    data_disks: [${'{ size: 1 GiB }, '.repeat(15)}]\n    networks: [${Array.from({ length: 11 }, (_, index) => `{ name: n${index} }`)}]`,
      [
        "28:256: pack.hardware.data_disks[15]: lsilogic has room for 15 disks, the appliance's own among them",
        '29:146: pack.hardware.networks[11]: VMware has room for 10 cards in a machine',
      ],
    ],
    [
      'a format twice',
      'pack:\n  hardware: { memory: 2 GiB }',
      'pack:\n  formats: [ova, qcow2, ova]',
      ['27:25: pack.formats[3]: ova is there twice'],
    ],
    [
      'no format',
      'pack:\n  hardware: { memory: 2 GiB }',
      'pack:\n  formats: []',
      ['27:3: pack.formats: name at least one of ova, qcow2, vmdk, vhdx, raw.zst, box'],
    ],
    [
      'no word on Chef’s licence',
      'chef: { license: accept }\n',
      '',
      [
        '20:5: provision[2].chef_solo: Chef’s licence is yours to accept: read https://www.chef.io/end-user-license-agreement and write chef: { license: accept }',
      ],
    ],
    [
      'Chef without its gems',
      ', for: tools',
      '',
      [
        '21:5: provision[2].chef_solo: Chef is not in the mirror: write { name: chef, gems: { chef-bin: "~> 18.4" }, for: tools } under mirror.gem',
      ],
    ],
    [
      'no machine to provision',
      '  bootstrap: { suite: bookworm }',
      '  cpus: 2',
      ['16:1: basebox.bootstrap is missing: the steps of provision need a machine, e.g. { suite: bookworm }'],
    ],
    [
      'a flow that does not end',
      'suites: [bookworm]',
      'suites: [bookworm',
      ['8:7: Flow sequence in block collection must be sufficiently indented and end with a ]'],
    ],
    [
      'an alias of nothing',
      '[nginx-light]',
      '*all',
      ['8:17: *all names no anchor before it; quote it if it is meant as text'],
    ],
    ['a second document', 'pack:', '---\npack:', ['26:1: a second document begins here; one file holds one']],
    ['a key that is no word', 'pack:', '? [a]\n: b\npack:', ['26:3: expected a word as key']],
  ]
  test.each(cases)('%s', async (_, from, to, expected) => {
    await change(from, to)
    const found = await faults()
    expect(found.filter((line) => !line.includes('[ a ]'))).toEqual(
      expected.map((line) => (/^\d/.test(line) ? `appliance.yml:${line}` : line)),
    )
  })

  test('files that are not there, of every kind', async () => {
    for (const name of ['prepare.sh', 'app', 'keys', 'catalogue.bundle', 'cookbooks', 'scenarios'])
      await rm(join(folder, name), { recursive: true })
    await change('hardware', 'eula: EULA.txt\n  hardware')
    const missing = (place: string, name: string) =>
      `appliance.yml:${place}: there is no ${name} in ${folder}`
    expect(await faults()).toEqual([
      missing('9:7: mirror.deb[1].signed_by', 'keys/debian.gpg'),
      missing('11:20: mirror.gem[1].gemfile', 'app/Gemfile'),
      missing('14:9: mirror.git[1].url', 'catalogue.bundle'),
      missing('15:10: tools.signed_by', 'keys/debian.gpg'),
      missing('20:5: provision[1].shell', 'prepare.sh'),
      missing('21:18: provision[2].chef_solo.cookbooks', 'cookbooks'),
      missing('23:14: first_boot[1]', 'prepare.sh'),
      missing('24:13: validate.scenarios', 'scenarios'),
      missing('27:3: pack.eula', 'EULA.txt'),
    ])
  })

  test('a folder where a file is meant, a file where a folder is meant, a folder without scenarios', async () => {
    await put({
      'appliance.yml': good
        .replace('first_boot: [prepare.sh]', 'first_boot: [app]')
        .replace('cookbooks: cookbooks', 'cookbooks: prepare.sh'),
    })
    await rm(join(folder, 'scenarios/works.yml'))
    expect(await faults()).toEqual([
      'appliance.yml:21:18: provision[2].chef_solo.cookbooks: expected a folder of cookbooks, but prepare.sh is no folder',
      'appliance.yml:23:14: first_boot[1]: expected a script, but app is a folder',
      'appliance.yml:24:13: validate.scenarios: there is no scenario (*.yml) in scenarios',
    ])
  })

  test('a folder in which build/ lies, as it is or by a symlink: every run would change the step', async () => {
    await symlink('.', join(folder, 'all'))
    await put({
      'appliance.yml': good
        .replace(
          '- shell: prepare.sh',
          '- upload: { from: ., to: /opt/app }\n  - upload: { from: all, to: /opt/app }',
        )
        .replace('cookbooks: cookbooks', 'cookbooks: cookbooks, roles: ..'),
    })
    const apart = 'is the folder in which build/ lies: give it a folder of its own'
    expect(await faults()).toEqual([
      `appliance.yml:20:15: provision[1].upload.from: . ${apart}`,
      `appliance.yml:21:15: provision[2].upload.from: all ${apart}`,
      `appliance.yml:22:40: provision[3].chef_solo.roles: .. ${apart}`,
    ])
  })

  test('a cookbook is called what its metadata says', async () => {
    await put({
      'cookbooks/chef-shop/metadata.rb': "name 'shop'\n",
      'cookbooks/chef-shop/recipes/default.yml': '',
    })
    await change('recipe[web]', 'recipe[shop]')
    expect(await faults()).toEqual([])
  })

  test('a version that a release cannot have', async () => {
    const reading = readSpec(join(folder, 'appliance.yml'), { version: 'v 2' })
    await expect(reading).rejects.toThrow(/^version: expected a version such as 1\.4\.0, .*; got "v 2"$/)
  })

  test('an empty file lacks what every appliance has', async () => {
    await put({ 'appliance.yml': '' })
    expect(await faults()).toEqual([
      'appliance.yml:1:1: name is missing: expected a name of a-z, 0-9 and dash',
      'appliance.yml:1:1: version is missing: expected a version such as 1.4.0, in quotes if it has fewer than two dots',
    ])
  })
})

describe('a scenario', () => {
  const cases: [string, string, string, unknown[]][] = [
    [
      'with a step that does not exist',
      'port: 80',
      'prot: 80',
      [
        '7:5: steps[3].prot: there is no step prot; did you mean port? There are boot, reboot, power_off, power_cut, snapshot, rollback, run, console, port, get, post, put, patch, delete, head, upload, download, service, process, file, package, user, listening, cron, timer, journal, time, network, disk, memory, repeat, parallel',
      ],
    ],
    [
      'with a step inside of another that does not exist',
      '- boot',
      '- repeat: { times: 2, steps: [boot, { parallel: [{ prot: 80 }] }] }',
      [
        expect.stringMatching(
          /^scenarios\/works\.yml:4:\d+: steps\[1\]\.repeat\.steps\[2\]\.parallel\[1\]\.prot: there is no step prot; did you mean port\?/,
        ),
      ],
    ],
    [
      'with an argument of another kind',
      '- boot',
      '- journal: { since: now }',
      ['4:16: steps[1].journal.since: expected boot, scenario, or a time such as 10 min; got "now"'],
    ],
    [
      'with two ways to a time',
      '- boot',
      '- time: { jump: 2 d, set: 2031-01-01T00:00:00Z }',
      ['4:5: steps[1].time: give either jump: or set:'],
    ],
    [
      'with a file that is to be saved from in two ways',
      '- boot',
      '- { get: /, save: { page: { json: a, header: b } } }',
      ['4:23: steps[1].save.page: give one of json, match and header'],
    ],
    [
      'with a value that an inner step uses before it is saved',
      '- boot',
      '- parallel: [{ run: "echo {{later}}" }]\n  - { run: date, save: later }',
      [
        '4:18: steps[1].parallel[1].run: {{later}} is not known here; give it under variables: or secrets: in the spec, or save it in an earlier step',
      ],
    ],
    [
      'with an argument too many',
      '- boot',
      '- boot: now',
      ['4:5: steps[1].boot: expected no argument, or a map such as { nic: e1000 }; got "now"'],
    ],
    [
      'with a port beyond all',
      'port: 80',
      'port: 70000',
      ['7:5: steps[3].port: expected a whole number from 1 to 65535, got 70000'],
    ],
    [
      'with a misspelt expectation',
      'status: 200',
      'sttaus: 200',
      ['9:31: unknown key sttaus; did you mean status? Known here: status, headers, json, json_at, body'],
    ],
    [
      'with two bodies',
      'path: /,',
      'path: /, body: x, form: { a: b },',
      ['9:5: steps[4].get: a request has one body, this one has body and form'],
    ],
    [
      'with settings that its steps do not heed',
      '- boot',
      '- { file: /etc, as: nobody, env: { A: b } }\n  - { port: 80, save: x }\n  - { reboot: , not: true }',
      [
        '4:19: steps[1].as: means nothing beside file; it goes with run',
        '4:31: steps[1].env: means nothing beside file; it goes with run',
        '5:17: steps[2].save: means nothing beside port; it goes with run, get, post, put, patch, delete, head, file, package, cron, journal, time',
        '6:17: steps[3].not: means nothing beside reboot; it does something and looks at nothing',
      ],
    ],
    [
      'with a value nobody gives',
      'secret.admin',
      'secret.amdin',
      ['6:12: steps[2].env.PASSWORD: {{secret.amdin}} is not known here; did you mean {{secret.admin}}?'],
    ],
    [
      'with a value before it is saved',
      '- boot',
      '- run: echo {{page}}',
      [
        '4:5: steps[1].run: {{page}} is not known here; give it under variables: or secrets: in the spec, or save it in an earlier step',
      ],
    ],
    [
      'without steps',
      scenario.slice(scenario.indexOf('steps:')),
      'steps: []\n',
      ['3:1: steps: a scenario needs at least one step'],
    ],
  ]
  test.each(cases)('%s', async (_, from, to, expected) => {
    await put({ 'scenarios/works.yml': scenario.replace(from, to) })
    expect(await faults()).toEqual(
      expected.map((line) => (typeof line === 'string' ? `scenarios/works.yml:${line}` : line)),
    )
  })

  test('of the same name as another is a fault of the later one; a label needs no value', async () => {
    await put({ 'scenarios/zz.yml': 'name: It works\nsteps:\n  - run: "true"\n    name: About {{braces}}\n' })
    expect(await faults()).toEqual(['scenarios/zz.yml:1:1: name: scenarios/works.yml has the same: It works'])
  })
})

test('all of it at once: schema, references, consistency, syntax, in spec and scenarios', async () => {
  await rm(join(folder, 'catalogue.bundle'))
  await put({
    'appliance.yml': good
      .replace('version:', 'name: twice\nversion:')
      .replace('2 GiB', '2 MiB')
      .replace('first_boot:', 'frist_boot:')
      .replace('recipe[web]', 'recipe[nope]'),
    'scenarios/broken.yml': 'name: [\n',
    'scenarios/works.yml': scenario.replace('boot', 'boto').replace('{{page}}', '{{pgae}}'),
  })
  expect((await faults()).map((line) => line.replace(/(\d: [^:;]*).*/, '$1'))).toEqual([
    'appliance.yml:2:1: key name is here twice',
    'appliance.yml:15:9: mirror.git[1].url',
    'appliance.yml:22:51: provision[2].chef_solo.run_list[1]',
    'appliance.yml:24:1: unknown key frist_boot',
    'appliance.yml:28:15: pack.hardware.memory',
    'scenarios/broken.yml:2:1: Flow sequence in block collection must be sufficiently indented and end with a ]',
    'scenarios/works.yml:4:5: steps[1].boto',
    'scenarios/works.yml:11:5: steps[5].run',
  ])
})
