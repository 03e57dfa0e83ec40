import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { run } from '../../actions/lib/process/command.ts'
import { RunnerMachine } from './runner/machine.ts'
import { type RunResult, runWorkflow } from './runner/run.ts'
import type { Substitute } from './runner/setting.ts'
import type { WorkflowText } from './runner/workflow.ts'

// release.yml as it is, on tags that script/release made, with a bare repository of this computer for origin. Not run:
// what asks GitHub itself (gh).

const root = resolve('.')
let folder: string
let clone: string
let origin: string
/** The part of release.yml that moves a tag. */
let moves: string
let machine: RunnerMachine

beforeAll(async () => {
  folder = await mkdtemp('/tmp/appliance-releasing-')
  clone = join(folder, 'clone')
  moves = join(folder, 'moves.yml')
  origin = join(folder, 'origin.git')
  await run('git', ['clone', '-q', '--bare', '--shared', root, origin])
  await run('git', ['clone', '-q', '--shared', origin, clone])
  const ours = ['script', 'package.json', 'CHANGELOG.md', '.github', 'test', 'actions']
  await run('cp', ['-r', ...ours.map((name) => join(root, name)), clone])
  // Of all tests the one that makes a release's tree, as others do, of the commit that is checked out.
  const tests = [
    '--selectProjects',
    'dist',
    '--testPathPatterns',
    'addresses',
    '-t',
    "'the tree of a release'",
  ]
  await writeFile(
    join(clone, '.ci/run'),
    `#!/bin/sh -e\nln -s ${root}/node_modules .\necho node_modules >>.git/info/exclude\n` +
      `exec node --experimental-vm-modules node_modules/jest/bin/jest.js ${tests.join(' ')} 2>&1\n`,
  )
  await git('config', 'user.name', 't')
  await git('config', 'user.email', 't@example.com')
  await git('checkout', '-q', '-B', 'main')
  // We are root already, and nobody else is here.
  const bin = join(folder, 'bin')
  await mkdir(bin)
  await writeFile(join(bin, 'sudo'), '#!/bin/sh\nshift\nexec "$@"\n')
  await chmod(join(bin, 'sudo'), 0o755)
  machine = await RunnerMachine.create({ PATH: `${bin}:${process.env.PATH}` })
})

afterAll(async () => {
  await machine?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

async function git(...args: string[]): Promise<string> {
  return (await run('git', args, { cwd: clone })).stdout.trim()
}

/** Gives main's next commit this version, makes its release, and pushes both. */
async function released(version: string): Promise<void> {
  await run('sed', ['-i', `s/^  "version": .*/  "version": "${version}",/`, 'package.json'], { cwd: clone })
  await run('sed', ['-i', `s/^## \\[Unreleased\\]/&\\n\\n## [${version}]/`, 'CHANGELOG.md'], { cwd: clone })
  await git('commit', '-q', '--all', '-m', `Prepare ${version}`)
  await run(join(clone, 'script/release'), [version])
  await git('push', '-q', '--force', 'origin', 'main', `v${version}`)
}

/** actions/checkout with `fetch-depth: 0`: every branch and tag, and the tag's commit checked out. */
const checkout: Substitute = async ({ workspace, github }) => {
  for (const name of await readdir(workspace)) await rm(join(workspace, name), { recursive: true })
  await run('git', ['clone', '-q', '--no-checkout', origin, workspace])
  await run('git', ['checkout', '-q', '--detach', String(github.ref)], { cwd: workspace })
  return undefined
}

/** Runs a workflow for a tag that was pushed. */
async function runs(workflow: string, tag: string): Promise<RunResult> {
  return await runWorkflow({
    repository: { name: 'org/appliance', folder: root },
    workflow,
    event: { name: 'push', ref: `refs/tags/${tag}` },
    machineFor: async () => machine,
    substitutes: { 'actions/checkout': checkout, 'actions/setup-node': async () => undefined },
  })
}

test('the tag that script/release made is verified: its tree is compared, and the commit it is of tested', async () => {
  await released('9.9.9')
  const { jobs, log } = await runs('.github/workflows/release.yml', 'v9.9.9')
  expect([jobs.verify!.result, log]).toEqual(['success', expect.stringMatching(/Tests: +.*1 passed/)])
})

test('a tag with anything else in its tree is refused, and the file is named', async () => {
  await git('checkout', '-q', '--detach', 'v9.9.9')
  await writeFile(join(clone, 'dist/plan/index.js'), "console.log('something else')\n")
  await git('commit', '-q', '--all', '--amend', '-m', 'Release 9.9.8')
  await git('tag', 'v9.9.8')
  await git('push', '-q', 'origin', 'v9.9.8')
  await git('checkout', '-q', 'main')
  const { jobs, log } = await runs('.github/workflows/release.yml', 'v9.9.8')
  expect(jobs.verify!.result).toBe('failure')
  expect(log).toMatch(/dist\/plan\/index\.js[\s\S]*v9\.9\.8 holds what script\/release-tree does not make of/)
  expect(log).not.toContain('Tests:')
})

test('the tag of the major version follows the newest release, and never goes back', async () => {
  const text = parse(await readFile('.github/workflows/release.yml', 'utf8')) as WorkflowText
  const { steps = [], ...publish } = text.jobs.publish!
  const offline = steps.filter(({ run: script = '' }) => !/\bgh /.test(script))
  expect(offline.map(({ name }) => name)).toHaveLength(2)
  await writeFile(
    moves,
    JSON.stringify({ on: 'push', jobs: { publish: { ...publish, needs: [], steps: offline } } }),
  )
  const moved = async (tag: string) => {
    const { result, log } = await runs(moves, tag)
    expect([result, log]).toEqual(['success', expect.any(String)])
    const { stdout } = await run('git', ['tag', '--points-at', 'v9^{}', '--list', 'v9.*'], { cwd: origin })
    return [stdout.trim(), log.includes('stays: it is')]
  }
  expect(await moved('v9.9.9')).toEqual(['v9.9.9', false])
  await released('9.10.0')
  expect(await moved('v9.10.0')).toEqual(['v9.10.0', false])
  // An older line's release, and a job that is run again.
  expect(await moved('v9.9.9')).toEqual(['v9.10.0', true])
  expect(await moved('v9.10.0')).toEqual(['v9.10.0', false])
  await released('9.11.0-rc.1')
  expect(await moved('v9.11.0-rc.1')).toEqual(['v9.10.0', false])
})

test('where GitHub does not let the job move it, the run says how to do that by hand, and that works', async () => {
  const said = 'refusing to allow a GitHub App to create or update workflow without `workflows` permission'
  const hook = join(origin, 'hooks/update')
  await mkdir(join(origin, 'hooks'), { recursive: true })
  await writeFile(hook, `#!/bin/sh\n[ "$1" != refs/tags/v9 ] || { echo '${said}' >&2; exit 1; }\n`)
  await chmod(hook, 0o755)
  await released('9.12.0')
  const { result, jobs, log } = await runs(moves, 'v9.12.0')
  const [annotation] = jobs.publish!.steps.flatMap(({ annotations }) => annotations)
  const { message } = annotation!
  expect([result, log]).toEqual(['failure', expect.stringContaining(said)])
  expect(message).toMatch(/^v9\.12\.0 is published, but v9 was not moved to it: git says why above\./)
  await rm(hook)
  await run('sh', ['-c', /git fetch .*/.exec(message)![0]], { cwd: clone })
  expect(await git('ls-remote', 'origin', 'refs/tags/v9')).toContain(
    await git('rev-parse', 'v9.12.0^{commit}'),
  )
})
