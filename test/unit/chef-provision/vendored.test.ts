import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { lackingCookbooks } from '../../../actions/chef-provision/before-boot.ts'
import { projectPaths } from '../../../actions/chef-provision/chef/failure.ts'
import { knownPath, withVendored } from '../../../actions/chef-provision/chef/vendored.ts'
import type { StepOf } from '../../../actions/lib/spec/provision-step.ts'
import type { StageWork } from '../../../actions/lib/stage/stage.ts'

let directory: string
let work: StageWork
const id = '0123456789abcdef0123456789abcdef01234567'
const step = (kind: 'berksfile' | 'policyfile', more: object = {}) => {
  const name = kind === 'berksfile' ? 'Berksfile' : 'Policyfile.rb'
  const solved = { kind, name, path: join(directory, name) }
  return { solved, cookbooks: [], runList: [], ...more } as unknown as StepOf<'chef_solo'>
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vendored-'))
  const local = [{ name: 'own', path: 'chef/own' }]
  const cookbook = ['Berksfile', 'Policyfile.rb'].map((name) => ({ name, local }))
  work = {
    project: { directory, lock: { cookbook } },
    workDirectory: join(directory, 'build/.work'),
  } as unknown as StageWork
  const [berks] = withVendored(step('berksfile'), work).cookbooks
  const { policy } = withVendored(step('policyfile'), work)
  for (const name of ['own', 'web'])
    for (const folder of [join(berks!, name), join(policy!, 'cookbook_artifacts', `${name}-${id}`)])
      await put(join(folder, 'recipes/default.rb'), '')
  await put(join(directory, 'roles/front.json'), '{ "run_list": ["recipe[own::defalt]", "role[back]"] }')
  await put(join(directory, 'roles/back.rb'), "name 'back'\nrun_list 'recipe[nobody]'\n")
})
afterAll(() => rm(directory, { recursive: true }))

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
}

test('a vendored file is known by the project’s own path, or by the file that names its cookbook', async () => {
  for (const kind of ['berksfile', 'policyfile'] as const) {
    const handed = withVendored(step(kind), work)
    const chefs = kind === 'berksfile' ? 'cookbooks-0' : 'policy/cookbook_artifacts'
    const where = await projectPaths(handed, knownPath(step(kind), work))
    const end = kind === 'berksfile' ? '' : `-${id}`
    const inGuest = (name: string) => where(`/var/tmp/appliance/chef/${chefs}/${name}${end}/recipes/x.rb`)
    expect(inGuest('own')).toBe('chef/own/recipes/x.rb')
    expect(inGuest('web')).toBe(`${handed.solved!.name}: web/recipes/x.rb`)
    expect(knownPath(handed, work)(join(directory, 'roles/front.rb'))).toBe('roles/front.rb')
  }
})

test('what the run list or a role names is looked for in what was vendored', async () => {
  const named = step('berksfile', {
    runList: ['recipe[web]', 'recipe[own::none]', 'role[front]'],
    roles: join(directory, 'roles'),
  })
  const at = 'provision[2].chef_solo.run_list: '
  expect((await lackingCookbooks(named, 1, work)).map(({ message }) => message)).toEqual([
    `${at}there is no recipe none in own; it has default`,
    `${at}roles/front.json names recipe[own::defalt]: there is no recipe defalt in own; did you mean default?`,
    `${at}roles/back.rb names recipe[nobody]: there is no cookbook nobody; Berksfile and cookbooks: give own, web`,
  ])
})
