import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { checkout, outcomes } from '../fixtures/workflow-runs.ts'
import { RunnerMachine } from './runner/machine.ts'
import { type RunOptions, type RunResult, runWorkflow } from './runner/run.ts'

// Who may have our workflows run on a machine, and what a release finds there: as far as that needs no appliance.

let folder: string
let machine: RunnerMachine
beforeAll(async () => {
  folder = await mkdtemp('/tmp/appliance-shipped-')
  await mkdir(join(folder, 'empty'))
})
afterAll(() => rm(folder, { recursive: true }))
beforeEach(async () => {
  machine = await RunnerMachine.create({}, folder)
})

/** A workflow that calls one of ours, as a user's does. */
async function calling(workflow: string, more: Partial<RunOptions>): Promise<RunResult> {
  const path = join(folder, 'w.yml')
  const job = { uses: `./.github/workflows/${workflow}` }
  await writeFile(path, JSON.stringify({ on: 'push', jobs: { appliance: job } }))
  return await runWorkflow({
    repository: { name: 'org/appliance', folder: resolve('.') },
    workflow: path,
    event: { name: 'push', ref: 'refs/heads/main' },
    machineFor: async () => machine,
    substitutes: { 'actions/checkout': checkout(join(folder, 'empty')) },
    ...more,
  })
}

function pullRequestFrom(repository: string): RunOptions['event'] {
  const head = { ref: 'my-change', repo: { full_name: repository } }
  return {
    name: 'pull_request',
    ref: 'refs/pull/12/merge',
    payload: { pull_request: { head, base: { ref: 'main' } } },
  }
}

const asked = new Error('a runner was asked for')
const machineFor = () => Promise.reject(asked)

describe.each(['appliance-build.yml', 'appliance-fleet.yml'])('%s', (workflow) => {
  test("a stranger's pull request is skipped, whole, and nothing is red", async () => {
    const event = pullRequestFrom('stranger/appliance')
    const run = await calling(workflow, { event, machineFor })
    expect(run.result).toBe('skipped')
    expect(new Set(Object.values(outcomes(run)))).toEqual(new Set(['skipped']))
  })

  test('one from a branch of ours, and a push, ask for a runner', async () => {
    const event = pullRequestFrom('org/appliance')
    await expect(calling(workflow, { event, machineFor })).rejects.toBe(asked)
    await expect(calling(workflow, { machineFor })).rejects.toBe(asked)
  })
})

describe('appliance-release.yml', () => {
  const event = { name: 'push', ref: 'refs/tags/v1.4.0' }
  const kept = 'build/chef-provision/disk.qcow2'

  test.each([
    { name: 'push', ref: 'refs/heads/main' },
    { ...event, name: 'pull_request_target' },
  ])('is for tags alone: $name of $ref', async (other) => {
    expect((await calling('appliance-release.yml', { event: other, machineFor })).result).toBe('skipped')
  })

  test.each([
    [
      'goes on with what this very run has made',
      '7',
      { '.': ['build'], build: ['.release', 'chef-provision'] },
    ],
    ['takes nothing that another run has made', '5', { '.': ['build'], build: ['.release'] }],
    ['takes nothing of which nobody says whose it is', '', { '.': ['build'], build: ['.release'] }],
  ])('run again, %s', async (_, mark, left) => {
    const workspace = machine.workspace('org/appliance')
    for (const [path, text] of Object.entries({
      [kept]: 'a disk',
      'build/.release': mark,
      stray: 'a file',
    })) {
      await mkdir(dirname(join(workspace, path)), { recursive: true })
      await writeFile(join(workspace, path), text)
    }
    const { log } = await calling('appliance-release.yml', { event, attempt: 2, runId: 7 })
    expect(log).toContain('there is no such file') // the spec: here it ends
    for (const [inner, names] of Object.entries(left))
      expect((await readdir(join(workspace, inner))).sort()).toEqual(names)
  })
})
