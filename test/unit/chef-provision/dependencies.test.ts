import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { stepDependencies } from '../../../actions/chef-provision/dependencies.ts'
import { differences } from '../../../actions/chef-provision/layers/plan.ts'
import type { ProvisionStep } from '../../../actions/lib/spec/spec.ts'
import type { Project } from '../../../actions/lib/stage/stage.ts'
import { lockOf } from '../../fixtures/lock.ts'

let directory: string
const project = () =>
  ({ directory, lock: undefined, spec: { chef: { from: 'tools' } } }) as unknown as Project
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dependencies-'))
  await mkdir(join(directory, 'deploy/log'), { recursive: true })
  await writeFile(join(directory, 'deploy/Capfile'), '1')
  await writeFile(join(directory, 'script'), '1')
})
afterEach(() => rm(directory, { recursive: true }))

/** What a change makes different, as people are told. */
async function told(
  step: (path: string) => ProvisionStep,
  change: () => Promise<unknown>,
): Promise<string[]> {
  const before = await stepDependencies(step(directory), project())
  await change()
  return differences(before, await stepDependencies(step(directory), project()))
}
const script = (path: string): ProvisionStep => ({ kind: 'shell', file: join(path, 'script') })
const deploy = (path: string): ProvisionStep => ({
  kind: 'capistrano',
  directory: join(path, 'deploy'),
  deployStage: 'live',
  tasks: ['deploy'],
  gems: 'capistrano',
  trace: false,
})

test('content and modes count, by the file’s name in the project', async () => {
  expect(await told(script, () => writeFile(join(directory, 'script'), '2'))).toEqual(['script changed'])
  expect(await told(script, () => chmod(join(directory, 'script'), 0o700))).toEqual(['script changed'])
})

test('what a step says counts, but for what is for people', async () => {
  let more: object = {}
  const step = (path: string) => ({ ...script(path), ...more })
  const change = (to: object) => async () => {
    more = to
  }
  expect(await told(step, change({ env: { A: '1' } }))).toEqual(['the step itself changed'])
  more = {}
  expect(await told(step, change({ name: 'x', timeout: 5, sensitive: true }))).toEqual([])
})

test('within attributes and variables the same keys are no words for people', async () => {
  let more: object = { env: { name: 'a', timeout: '1' } }
  const step = (path: string) => ({ ...script(path), ...more })
  const change = (to: object) => async () => {
    more = to
  }
  expect(await told(step, change({ env: { name: 'b', timeout: '1' } }))).toEqual(['the step itself changed'])
  for (const key of ['name', 'timeout', 'sensitive', 'logLevel', 'trace']) {
    more = { attributes: { nginx: { [key]: 30 } } }
    expect(await told(step, change({ attributes: { nginx: { [key]: 60 } } }))).toEqual([
      'the step itself changed',
    ])
  }
})

test('where the project lies makes no difference', async () => {
  const other = await mkdtemp(join(tmpdir(), 'dependencies-'))
  await writeFile(join(other, 'script'), '1')
  const here = await stepDependencies(script(directory), project())
  const there = await stepDependencies(script(other), { ...project(), directory: other })
  expect(there).toEqual(here)
  await rm(other, { recursive: true })
})

test('Capistrano’s log, which it writes where it is started, is nothing that it depends on', async () => {
  expect(await told(deploy, () => writeFile(join(directory, 'deploy/log/capistrano.log'), 'x'))).toEqual([])
  expect(await told(deploy, () => writeFile(join(directory, 'deploy/Capfile'), '2'))).toEqual([
    'deploy/Capfile changed',
  ])
})

test('of a Berksfile: what is locked, and the cookbooks that it takes from the project', async () => {
  const own = join(directory, 'cookbooks/own')
  await mkdir(own, { recursive: true })
  await writeFile(join(own, 'metadata.rb'), '1')
  await writeFile(join(directory, 'Berksfile'), '1')
  const step = {
    kind: 'chef_solo',
    cookbooks: [],
    runList: ['own'],
    solved: { kind: 'berksfile', name: 'Berksfile', path: join(directory, 'Berksfile') },
  } as unknown as ProvisionStep
  const locked = (solution: string) => ({
    ...project(),
    lock: lockOf({
      cookbook: [
        {
          name: 'Berksfile',
          solution,
          cookbooks: [],
          git: [],
          fromGit: [],
          local: [{ name: 'own', path: 'cookbooks/own' }],
        },
      ],
    }),
  })
  const before = await stepDependencies(step, locked('1'))
  expect(differences(before, await stepDependencies(step, locked('2')))).toEqual([
    'cookbooks of Berksfile changed',
  ])
  await writeFile(join(own, 'metadata.rb'), '2')
  expect(differences(before, await stepDependencies(step, locked('1')))).toEqual([
    'cookbooks/own/metadata.rb changed',
  ])
})
