import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { actionNames } from '../../actions/appliance/contract.ts'
import { run } from '../../actions/lib/process/command.ts'
import { type ReleaseTree, releaseTree } from '../fixtures/release-tree.ts'
import { RunnerMachine } from './runner/machine.ts'
import { runWorkflow } from './runner/run.ts'

const names = actionNames.filter((name) => name !== 'appliance')

let release: ReleaseTree
let folder: string

beforeAll(async () => {
  release = await releaseTree()
  folder = await mkdtemp('/tmp/appliance-addresses-')
})

afterAll(async () => {
  await release[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

test('the tree of a release is the same twice, and is the work tree with the actions at its root', async () => {
  expect(await release.again()).toBe(release.tree)
  expect(await readdir(release.folder)).toEqual(
    expect.arrayContaining([...names, 'actions', 'dist', 'action.yml', 'LICENSE']),
  )
})

/** What each stage says without anything to work on: it was started, and read the spec. */
const says: Record<string, string> = {
  'mirror-deps': 'appliance.lock.json, and none is written in a workflow',
  'veewee-basebox': 'there is no appliance.lock.json yet',
  'chef-provision': 'veewee-basebox',
  'vm-validate': 'chef-provision',
  'ova-pack': 'chef-provision',
  plan: 'artifact does not work here',
  publish: 'input tag',
}

/** Every address of a stage, from a workflow of its own repository (`./`, `$/`) and of others'. */
function addresses(stage: string): string[] {
  return [
    `org/appliance/${stage}@v1`,
    `org/appliance/actions/${stage}@v1`,
    `./actions/${stage}`,
    `$/actions/${stage}`,
  ]
}

test('every action runs from every address', async () => {
  const all = [...names.flatMap(addresses), 'org/appliance@v1', './', '$/']
  const steps = all.map((uses) => `      - { uses: "${uses}", continue-on-error: true }`)
  await writeFile(
    join(folder, 'w.yml'),
    `on: push\njobs:\n  all:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v5\n${steps.join('\n')}\n`,
  )
  await using machine = await RunnerMachine.create()
  const { jobs } = await runWorkflow({
    repository: { name: 'org/appliance', folder: release.folder },
    workflow: resolve(folder, 'w.yml'),
    event: { name: 'push', ref: 'refs/heads/main' },
    machineFor: async () => machine,
    others: { 'org/appliance': release.folder },
    substitutes: {
      // This very repository; and a spec beside it for the actions to read.
      'actions/checkout': async ({ workspace }) => {
        await run('cp', ['-r', `${release.folder}/.`, workspace])
        await writeFile(
          join(workspace, 'appliance.yml'),
          'name: tiny\nversion: 1.0.0\nmirror: { deb: [{ name: debian, uri: "https://deb.debian.org/debian", suites: [bookworm] }] }\nbasebox: { bootstrap: { suite: bookworm } }\n',
        )
        return undefined
      },
    },
  })
  const [, ...others] = jobs.all!.steps
  const posts = others.filter(({ name }) => name.startsWith('Post '))
  const ran = others.filter((step) => !posts.includes(step))
  expect(posts.map(({ name, outcome }) => [name, outcome])).toEqual(
    [...all].reverse().map((uses) => [`Post ${uses}`, 'success']),
  )
  expect(ran.map(({ name }) => name)).toEqual(all)
  for (const { name, log, annotations } of ran) {
    const stage = names.find((one) => name.includes(one)) ?? 'mirror-deps'
    expect([name, annotations.map(({ message }) => message).join('\n') + log]).toEqual([
      name,
      expect.stringContaining(says[stage]!),
    ])
  }
})

test('script/release makes a commit on top of main and a tag, changes no branch, and refuses what is not ready', async () => {
  const clone = join(folder, 'clone')
  await run('git', ['clone', '-q', '--shared', resolve('.'), clone])
  const git = async (...args: string[]) =>
    (
      await run('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { cwd: clone })
    ).stdout.trim()
  await run('cp', ['-r', ...['script', 'package.json', 'CHANGELOG.md'].map((name) => resolve(name)), clone])
  await git('config', 'user.name', 't')
  await git('config', 'user.email', 't@example.com')
  await git('commit', '-q', '--all', '--allow-empty', '-m', 'As it is')
  const release = (version: string) =>
    run(join(clone, 'script/release'), [version], { allowFailure: true, cwd: clone })

  const early = await release('9.9.9')
  expect(early.status).toBe(1)
  expect(early.stderr).toMatch(/package\.json says version[\s\S]*CHANGELOG\.md has no section \[9\.9\.9\]/)
  expect((await release('v9')).stderr).toContain('VERSION is MAJOR.MINOR.PATCH')

  await run('sed', ['-i', 's/^  "version": .*/  "version": "9.9.9",/', 'package.json'], { cwd: clone })
  await run('sed', ['-i', 's/^## \\[Unreleased\\]/&\\n\\n## [9.9.9]/', 'CHANGELOG.md'], { cwd: clone })
  expect((await release('9.9.9')).stderr).toContain('not committed')
  await git('commit', '-q', '--all', '-m', 'Release 9.9.9')
  const head = await git('rev-parse', 'HEAD')

  const made = await release('9.9.9')
  expect([made.status, made.stdout]).toEqual([0, expect.stringContaining('git push origin v9.9.9')])
  expect(await git('rev-parse', 'HEAD')).toBe(head)
  expect(await git('rev-parse', 'v9.9.9^{commit}^')).toBe(head)
  const tree = (await run(join(clone, 'script/release-tree'), ['HEAD'])).stdout.trim()
  expect(await git('rev-parse', 'v9.9.9^{tree}')).toBe(tree)
  expect(await git('diff', '--name-only', 'HEAD', 'v9.9.9')).toBe(
    [...names]
      .sort()
      .map((name) => `${name}/action.yml`)
      .join('\n'),
  )
  expect((await release('9.9.9')).stderr).toContain('v9.9.9 is there already')
})
