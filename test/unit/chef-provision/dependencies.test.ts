import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { stepDependencies } from '../../../actions/chef-provision/dependencies.ts'
import { differences } from '../../../actions/chef-provision/layers/plan.ts'
import { run } from '../../../actions/lib/process/command.ts'
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

test('a symlink that the spec names is followed', async () => {
  await mkdir(join(directory, 'rel1'))
  await writeFile(join(directory, 'rel1/VERSION'), '1')
  await symlink('rel1', join(directory, 'current'))
  await symlink('script', join(directory, 'latest'))
  const upload = (path: string): ProvisionStep => ({
    kind: 'upload',
    from: join(path, 'current'),
    to: '/opt/app',
  })
  expect(await told(upload, () => writeFile(join(directory, 'rel1/VERSION'), '2'))).toEqual([
    'current/VERSION changed',
  ])
  const latest = (path: string): ProvisionStep => ({ kind: 'shell', file: join(path, 'latest') })
  expect(await told(latest, () => writeFile(join(directory, 'script'), '2'))).toEqual(['latest changed'])
})

test('links within what is sent are links; Chef’s folders and a Capfile are read wherever they lead', async () => {
  await mkdir(join(directory, 'shared'))
  await writeFile(join(directory, 'shared/tasks.rb'), '1')
  await symlink('../shared', join(directory, 'deploy/lib'))
  await symlink('.', join(directory, 'deploy/self'))
  await symlink('nowhere', join(directory, 'deploy/dangling'))
  await symlink('..', join(directory, 'shared/round'))
  const upload = (path: string): ProvisionStep => ({
    kind: 'upload',
    from: join(path, 'deploy'),
    to: '/opt/app',
  })
  const change = (to: string) => () => writeFile(join(directory, 'shared/tasks.rb'), to)
  expect(await told(upload, change('2'))).toEqual([])
  expect(await told(deploy, change('3'))).toEqual(['deploy/lib (its target)/tasks.rb changed'])
  const chef = (path: string) =>
    ({ kind: 'chef_solo', cookbooks: [join(path, 'deploy')], runList: [] }) as unknown as ProvisionStep
  expect(await told(chef, change('4'))).toEqual(['deploy/lib (its target)/tasks.rb changed'])
})

test('setuid counts; sockets do not; a FIFO is refused instead of waited for', async () => {
  await chmod(join(directory, 'script'), 0o755)
  expect(await told(script, () => chmod(join(directory, 'script'), 0o4755))).toEqual(['script changed'])
  const server = createServer().listen(join(directory, 'deploy/puma.sock'))
  await once(server, 'listening')
  try {
    const parts = await stepDependencies(deploy(directory), project())
    expect(Object.keys(parts)).toEqual(expect.arrayContaining(['deploy/Capfile']))
    expect(Object.keys(parts)).not.toContain('deploy/puma.sock')
  } finally {
    server.close()
  }
  await run('mkfifo', [join(directory, 'deploy/queue')])
  await expect(stepDependencies(deploy(directory), project())).rejects.toMatchObject({
    code: 'input',
    message: 'deploy/queue is a FIFO, which has no content',
  })
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
