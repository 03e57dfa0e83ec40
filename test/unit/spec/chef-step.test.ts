import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { InputError } from '../../../actions/lib/errors/fault.ts'
import { readSpec } from '../../../actions/lib/spec/read.ts'

let project: string
beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), 'chef-step-'))
  await put('cookbooks/web/metadata.rb', "name 'web'\n")
  await put('cookbooks/web/recipes/default.rb', '')
  await put('more/lib/metadata.rb', "name 'lib'\n")
  await put('more/lib/recipes/default.rb', '')
  await put('roles/front.json', '{}')
  await put('environments/live.rb', '')
  await put('bags/users/ann.json', '{ "id": "ann" }')
})
afterEach(() => rm(project, { recursive: true }))

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(project, path)), { recursive: true })
  await writeFile(join(project, path), content)
}

/** The faults of a spec with one chef_solo step. */
async function faults(chef: string): Promise<string[]> {
  await put(
    'appliance.yml',
    `name: x
version: 1.0.0
mirror:
  deb: [{ name: debian, uri: "https://deb.debian.org/debian", suites: [bookworm] }]
  gem: [{ name: chef, gems: { chef-bin: "*" }, for: tools }]
basebox: { bootstrap: { suite: bookworm } }
chef: { license: accept }
provision:
  - chef_solo: ${chef}
`,
  )
  try {
    await readSpec(join(project, 'appliance.yml'))
    return []
  } catch (error) {
    if (error instanceof InputError) return error.faults.map(({ message }) => message)
    throw error
  }
}

const whole =
  'cookbooks: [cookbooks, more], run_list: ["role[front]", "recipe[web]", "lib"], roles: roles, environments: environments, environment: live, data_bags: bags'

test('all of Chef’s folders together are no fault', async () => {
  await put('cookbooks/web/metadata.rb', "name 'web'\ndepends 'lib', '~> 1.0'\n")
  expect(await faults(`{ ${whole} }`)).toEqual([])
})

test.each([
  ['{ cookbooks: cookbooks }', ['provision[1].chef_solo.run_list: name at least one recipe']],
  [
    '{ run_list: [web] }',
    [
      'provision[1].chef_solo.cookbooks is missing: expected a folder of cookbooks',
      /there is no cookbook web/,
    ],
  ],
  [
    '{ cookbooks: cookbooks, run_list: ["role[front]"] }',
    [/run_list\[1\]: the role front needs roles: the folder it is in/],
  ],
  [
    '{ cookbooks: cookbooks, run_list: ["role[fron]"], roles: roles }',
    [/there is no role fron in roles; did you mean front\?/],
  ],
  [
    '{ cookbooks: cookbooks, run_list: [web], environments: environments, environment: lve }',
    [/there is no environment lve in environments; did you mean live\?/],
  ],
  ['{ cookbooks: cookbooks, run_list: [web], data_bag_secret: nowhere }', [/data_bag_secret/]],
  [
    '{ cookbooks: cookbooks, run_list: [web], idempotent: true }',
    [/idempotent: expected one of check, got true/],
  ],
  [
    '{ policy: cookbooks }',
    [/policy: there is no cookbooks\/Policyfile.lock.json: expected what `chef export` made/],
  ],
  ['{ policy: cookbooks, run_list: [web] }', [/policy: has its own cookbooks and run list/]],
])('%s', async (chef, expected) => {
  const found = await faults(chef)
  for (const form of expected)
    expect(found).toContainEqual(form instanceof RegExp ? expect.stringMatching(form) : form)
})

test('a cookbook that another one depends on and no folder has', async () => {
  await put('cookbooks/web/metadata.rb', "name 'web'\ndepends 'libb'\n")
  expect(await faults('{ cookbooks: [cookbooks, more], run_list: [web] }')).toEqual([
    expect.stringMatching(
      /web depends on the cookbook libb \(cookbooks\/web\/metadata.rb\), which is in no folder; did you mean lib\?/,
    ),
  ])
})

test('what nobody uses may depend on what it likes, and JSON comes before Ruby', async () => {
  await put('cookbooks/unused/metadata.rb', "name 'unused'\ndepends 'nobody'\n")
  await put('cookbooks/web/metadata.rb', "name 'web'\ndepends 'old'\n")
  await put('cookbooks/web/metadata.json', '{ "name": "web", "dependencies": { "lib": ">= 0" } }')
  const step = '{ cookbooks: [cookbooks, more], run_list: [web] }'
  expect(await faults(step)).toEqual([])
  await put('more/lib/metadata.rb', "name 'lib'\ndepends 'unused'\n")
  expect(await faults(step)).toEqual([
    expect.stringMatching(/unused depends on the cookbook nobody \(cookbooks\/unused\/metadata.rb\)/),
  ])
})

test('the run lists of roles, role within role, in JSON and in Ruby', async () => {
  await put('roles/front.json', '{ "run_list": ["role[base]", "recipe[web::nosuch]", "role[nobody]"] }')
  await put(
    'roles/below/base.rb',
    "name 'base'\nrun_list 'role[front]', %w[recipe[web] recipe[wbe]], \"recipe[#{x}]\"\nenv_run_lists 'live' => ['lib::gone'], 'other' => []\n",
  )
  const of = (more = '') =>
    faults(`{ cookbooks: [cookbooks, more], run_list: ["role[front]"], roles: roles${more} }`)
  const at = 'provision[1].chef_solo.run_list[1]: '
  const front = [
    `${at}roles/front.json names recipe[web::nosuch]: there is no cookbooks/web/recipes/nosuch.rb; there are default`,
    `${at}roles/front.json names role[nobody]: there is no role nobody in roles; there are base, front`,
  ]
  expect(await of()).toEqual([
    `${at}roles/below/base.rb names recipe[wbe]: there is no cookbook wbe; did you mean web?`,
    ...front,
  ])
  expect(await of(', environments: environments, environment: live')).toEqual([
    `${at}roles/below/base.rb names lib::gone: there is no more/lib/recipes/gone.rb; there are default`,
    ...front,
  ])
  // What a role uses is used, too.
  await put('roles/front.json', '{ "run_list": ["recipe[web]"] }')
  await put('cookbooks/web/metadata.rb', "name 'web'\ndepends 'nobody'\n")
  expect(await of()).toEqual([expect.stringMatching(/web depends on the cookbook nobody/)])
})

test('items of data bags: JSON, with an id, and not encrypted without the secret', async () => {
  await put('bags/users/bob.json', '{ "name": "bob" }')
  await put('bags/users/eve.json', '{')
  await put(
    'bags/keys/tls.json',
    '{ "id": "tls", "key": { "encrypted_data": "x", "cipher": "aes-256-gcm" } }',
  )
  expect(await faults(`{ ${whole} }`)).toEqual([
    expect.stringMatching(/bags\/users\/bob.json is no item of a data bag: it has no "id"/),
    expect.stringMatching(/bags\/users\/eve.json is no JSON/),
    expect.stringMatching(/bags\/keys\/tls.json is encrypted: say data_bag_secret: env:NAME, or a file/),
  ])
  await rm(join(project, 'bags/users'), { recursive: true })
  expect(await faults(`{ ${whole}, data_bag_secret: "env:BAG_SECRET" }`)).toEqual([])
})

test('a Berksfile or a Policyfile, and what is needed to solve it', async () => {
  await put('Berksfile', "source 'https://supermarket.chef.io'\n")
  await put('Policyfile.rb', "name 'x'\n")
  const needs = (gem: string) =>
    expect.stringMatching(`needs ${gem}: add ${gem}: "\\*" to the gems for: tools`)
  // What a Berksfile brings is known when it is locked.
  expect(await faults('{ berksfile: Berksfile, run_list: [any] }')).toEqual([needs('berkshelf')])
  expect(await faults('{ policyfile: Policyfile.rb }')).toEqual([needs('chef-cli')])
  expect(await faults('{ berksfile: Berksfil, run_list: [any] }')).toContainEqual(
    expect.stringMatching(/berksfile: there is no Berksfil in/),
  )
  expect(await faults('{ berksfile: Berksfile }')).toContainEqual(
    expect.stringMatching(/run_list: name at least one recipe/),
  )
  for (const other of ['berksfile: Berksfile', 'cookbooks: cookbooks', 'run_list: [web]'])
    expect(await faults(`{ policyfile: Policyfile.rb, ${other} }`)).toContainEqual(
      expect.stringMatching(/policyfile: has its own cookbooks and run list/),
    )
  expect(await faults('{ policyfile: Berksfile }')).toContainEqual(
    expect.stringMatching(/policyfile: expected a Policyfile, \*.rb/),
  )
})
