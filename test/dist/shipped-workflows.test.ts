import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { withoutStages } from '../fixtures/without-stages.ts'
import { checkout, outcomes, runText } from '../fixtures/workflow-runs.ts'
import { RunnerMachine } from './runner/machine.ts'
import type { RunOptions, RunResult } from './runner/run.ts'
import type { Substitute } from './runner/setting.ts'
import { readWorkflow } from './runner/workflow.ts'

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
async function calling(
  workflow: string,
  more: Partial<RunOptions>,
  inputs: Record<string, unknown> = {},
): Promise<RunResult> {
  const job = { uses: `./.github/workflows/${workflow}`, with: inputs }
  return await runText(job, {
    repository: { name: 'org/appliance', folder: resolve('.') },
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

const shipped = ['appliance-build.yml', 'appliance-fleet.yml', 'appliance-release.yml']

describe.each(shipped)('%s hands secrets', (workflow) => {
  const secrets = /\bsecrets\b/

  test('to steps of ours, every stage and plan, and to no other step, nor to a job', async () => {
    const { jobs, env } = await readWorkflow(join('.github/workflows', workflow))
    expect(env).toBeUndefined()
    for (const [id, { steps = [], ...job }] of Object.entries(jobs)) {
      expect([id, JSON.stringify(job)]).toEqual([id, expect.not.stringMatching(secrets)])
      for (const { env: given, ...step } of steps) {
        expect(JSON.stringify(step)).not.toMatch(secrets)
        const ours = step.uses?.startsWith('$/actions/') && step.uses !== '$/actions/publish'
        if (ours) expect(given).toMatchObject({ APPLIANCE_ENV_SECRETS: '$' + '{{ secrets.env-secrets }}' })
        else expect(JSON.stringify(given ?? {})).not.toMatch(secrets)
      }
    }
  })
})

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

  test('run again, it goes on where the spec lies', async () => {
    const workspace = machine.workspace('org/appliance')
    const product = join(workspace, 'products/one')
    await mkdir(join(folder, 'with-products/products/one'), { recursive: true })
    await writeFile(join(folder, 'with-products/products/one/README.md'), 'one of several')
    await mkdir(join(product, dirname(kept)), { recursive: true })
    await writeFile(join(product, kept), 'a disk')
    await writeFile(join(product, 'build/.release'), '7')
    await calling(
      'appliance-release.yml',
      { event, runId: 7, substitutes: { 'actions/checkout': checkout(join(folder, 'with-products')) } },
      { 'working-directory': 'products', spec: 'one/tiny.yml' },
    )
    expect((await readdir(join(product, 'build'))).sort()).toEqual(['.release', 'chef-provision'])
  })

  describe('attest', () => {
    const refused = new Error('Failed to persist attestation: Feature not available for someone/product')
    const refuses = () => Promise.reject(refused)
    const agrees = async () => undefined

    async function attesting(
      attest: string | undefined,
      attestation: Substitute,
      repository = { default_branch: 'main', private: false },
      inputs: Record<string, string> = {},
    ) {
      const files = join(folder, 'without-stages')
      await withoutStages(files)
      const options = {
        repository: { name: 'org/appliance', folder: files },
        event: { ...event, payload: { repository } },
        substitutes: {
          'actions/checkout': checkout(join(folder, 'empty')),
          'actions/attest-build-provenance': attestation,
        },
      }
      const run = await calling(
        'appliance-release.yml',
        options,
        attest === undefined ? inputs : { ...inputs, attest },
      )
      const job = run.jobs['appliance / release']!
      return {
        result: run.result,
        annotations: job.steps.flatMap(({ annotations }) => annotations),
        tried: job.substituted.includes('actions/attest-build-provenance'),
        published: run.log.includes('this is publish'),
        built: run.log.includes('this is mirror-deps'),
        summary: job.summary,
      }
    }

    test('by default: where GitHub refuses, run and summary say so, and the release goes on', async () => {
      const run = await attesting(undefined, refuses)
      expect(run).toMatchObject({ result: 'success', tried: true, published: true })
      const message = expect.stringMatching(
        /^GitHub has not attested .*: the step before says why. The release goes on\. With/,
      )
      expect(run.annotations).toEqual([{ level: 'warning', title: 'Not attested', message }])
      expect(run.summary).toMatch(/^> \[!WARNING\]\n> GitHub has not attested .*\n\n$/)
    })

    test('what a private repository needs is said there', async () => {
      const { annotations } = await attesting('auto', refuses, { default_branch: 'main', private: true })
      expect(annotations[0]!.message).toContain('In a private repository it takes Enterprise Cloud.')
    })

    test.each(['auto', 'required'])('%s: where GitHub agrees nothing is said', async (attest) => {
      const done = { result: 'success', tried: true, published: true, annotations: [], summary: '' }
      expect(await attesting(attest, agrees)).toMatchObject(done)
    })

    test('required: nothing is published without it', async () => {
      const failed = { result: 'failure', tried: true, published: false, summary: '' }
      expect(await attesting('required', refuses)).toMatchObject(failed)
    })

    test('never: it is not asked for', async () => {
      const done = { result: 'success', tried: false, published: true, annotations: [] }
      expect(await attesting('never', refuses)).toMatchObject(done)
    })

    test('anything else is refused before anything is built', async () => {
      const message = 'input attest: expected auto, required or never, not sometimes'
      const failed = { result: 'failure', built: false, annotations: [{ level: 'error', message }] }
      expect(await attesting('sometimes', agrees)).toMatchObject(failed)
    })

    test.each(['2 GiB', '2048 MiB', '0 MiB', '1900', 'much'])(
      'so is a part-size of %j, beside it',
      async (size) => {
        const run = await attesting('sometimes', agrees, undefined, { 'part-size': size })
        const messages = run.annotations.map(({ message }) => message)
        expect([run.result, run.built, messages]).toEqual([
          'failure',
          false,
          [
            expect.stringMatching(/^input attest: /),
            `input part-size: expected a size under 2 GiB, e.g. 1900 MiB, not ${size}`,
          ],
        ])
      },
    )

    test.each(['1.9 GB', '100 kB', '1900MiB', '1.5 GiB', ''])('a part-size of %j is taken', async (size) => {
      expect(await attesting('never', agrees, undefined, { 'part-size': size })).toMatchObject({
        result: 'success',
        built: true,
      })
    })
  })
})
