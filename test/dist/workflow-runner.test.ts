import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { RunnerMachine } from './runner/machine.ts'
import { type RunOptions, type RunResult, runWorkflow } from './runner/run.ts'

// The runner that the other tests of workflows stand on is itself held to what GitHub documents.

let folder: string
let machine: RunnerMachine

beforeEach(async () => {
  folder = await mkdtemp('/tmp/appliance-repository-')
  machine = await RunnerMachine.create()
})

afterEach(async () => {
  await rm(folder, { recursive: true })
  await machine[Symbol.asyncDispose]()
})

async function put(files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
}

async function runs(workflow: string, more: Partial<RunOptions> = {}): Promise<RunResult> {
  await put({ '.github/workflows/w.yml': workflow })
  return await runWorkflow({
    repository: { name: 'someone/product', folder },
    workflow: '.github/workflows/w.yml',
    event: { name: 'push', ref: 'refs/heads/main' },
    machineFor: async () => machine,
    ...more,
  })
}

/** An action in JavaScript that tells what it is given; `post` tells its state. */
const speaking = {
  'speak/action.yml': `
name: speak
description: tells
inputs: { word: { description: w, default: hello } }
outputs: { said: { description: s } }
runs: { using: node24, main: main.js, post: post.js }
`,
  'speak/main.js': `
const fs = require('fs')
console.log('main says ' + process.env.INPUT_WORD)
fs.appendFileSync(process.env.GITHUB_OUTPUT, 'said<<E\\n' + process.env.INPUT_WORD + '\\nE\\n')
fs.appendFileSync(process.env.GITHUB_STATE, 'word=' + process.env.INPUT_WORD + '\\n')
`,
  'speak/post.js': `console.log('post says ' + process.env.STATE_word)`,
}

test('needs, outputs, conditions and expressions', async () => {
  const { result, jobs } = await runs(`
on: push
env: { TOP: top }
jobs:
  first:
    runs-on: ubuntu-latest
    outputs: { word: "\${{ steps.a.outputs.word }}" }
    steps:
      - id: a
        run: echo "word=$TOP-$MINE" >>"$GITHUB_OUTPUT"
        env: { MINE: "\${{ format('{0}!', github.ref_name) }}" }
      - { name: not this, if: "github.ref_type == 'tag'", run: exit 1 }
  second:
    needs: first
    if: startsWith(needs.first.outputs.word, 'top-')
    runs-on: ubuntu-latest
    steps: [{ run: 'test "$W" = top-main!', env: { W: "\${{ needs.first.outputs.word }}" } }]
  third:
    needs: first
    if: needs.first.outputs.word == 'other'
    runs-on: ubuntu-latest
    steps: [{ run: exit 1 }]
`)
  expect(result).toBe('success')
  expect(jobs.first!.steps.map(({ outcome }) => outcome)).toEqual(['success', 'skipped'])
  expect(jobs.second!.result).toBe('success')
  expect(jobs.third!.result).toBe('skipped')
})

test('a failure skips what follows, but not what asks for it; continue-on-error forgives', async () => {
  const { result, jobs } = await runs(`
on: push
jobs:
  one:
    runs-on: x
    steps:
      - { id: forgiven, run: exit 3, continue-on-error: true }
      - { name: sees it, if: "steps.forgiven.outcome == 'failure' && steps.forgiven.conclusion == 'success'", run: "true" }
      - { run: exit 1 }
      - { name: skipped, run: "true" }
      - { name: failure, if: failure(), run: "true" }
      - { name: always, if: always(), run: "true" }
  two: { needs: one, runs-on: x, steps: [{ run: "true" }] }
  three: { needs: one, if: "!cancelled()", runs-on: x, steps: [{ run: "true" }] }
`)
  expect(result).toBe('failure')
  expect(jobs.one!.steps.map(({ outcome }) => outcome)).toEqual([
    'failure',
    'success',
    'failure',
    'skipped',
    'success',
    'success',
  ])
  expect([jobs.two!.result, jobs.three!.result]).toEqual(['skipped', 'success'])
})

test('a job after a skipped one runs only when it asks to; a failure counts however far before', async () => {
  const job = (needs: string, condition: string, run = 'true') =>
    `{ needs: ${needs}, if: "${condition}", runs-on: x, steps: [{ run: "${run}" }] }`
  const { jobs } = await runs(`
on: push
jobs:
  skipped: { if: "false", runs-on: x, steps: [{ run: "true" }] }
  implied: { needs: skipped, runs-on: x, steps: [{ run: "true" }] }
  asks: ${job('skipped', '!cancelled() && !failure()')}
  third: { needs: asks, runs-on: x, steps: [{ run: "true" }] }
  fails: ${job('asks', '!cancelled()', 'exit 1')}
  passed-over: ${job('fails', '!cancelled() && !failure()')}
  far: ${job('passed-over', '!cancelled() && !failure()')}
  mourns: ${job('passed-over', 'failure()')}
`)
  expect(Object.fromEntries(Object.entries(jobs).map(([name, { result }]) => [name, result]))).toEqual({
    skipped: 'skipped',
    implied: 'skipped',
    asks: 'success',
    // Its condition is success(), which looks at all jobs before it.
    third: 'skipped',
    fails: 'failure',
    'passed-over': 'skipped',
    far: 'skipped',
    mourns: 'success',
  })
})

test('actions run their posts in reverse; a composite has inputs, outputs and a path of its own', async () => {
  await put({
    ...speaking,
    'both/action.yml': `
name: both
description: two
inputs: { word: { description: w, required: true } }
outputs: { last: { description: l, value: "\${{ steps.s.outputs.said }}" } }
runs:
  using: composite
  steps:
    - { id: s, uses: $/speak, with: { word: "\${{ inputs.word }}-inner" } }
    - { run: 'test -f "$GITHUB_ACTION_PATH/action.yml"', shell: bash }
`,
  })
  const { result, log } = await runs(`
on: push
jobs:
  job:
    runs-on: x
    steps:
      - { uses: $/speak }
      - { id: b, uses: $/both, with: { word: outer } }
      - { run: 'echo "got $L"', env: { L: "\${{ steps.b.outputs.last }}" } }
`)
  expect(result).toBe('success')
  expect(log.match(/(?:says|got) .*/g)).toEqual([
    'says hello',
    'says outer-inner',
    'got outer-inner',
    'says outer-inner',
    'says hello',
  ])
})

test('matrix, fail-fast and reusable workflows', async () => {
  await put({
    '.github/workflows/called.yml': `
on:
  workflow_call:
    inputs: { word: { type: string, required: true }, times: { type: number, default: 2 } }
    outputs: { told: { value: "\${{ jobs.tell.outputs.told }}" } }
jobs:
  tell:
    runs-on: x
    outputs: { told: "\${{ steps.t.outputs.told }}" }
    steps: [{ id: t, run: 'echo "told=$W" >>"$GITHUB_OUTPUT"', env: { W: "\${{ inputs.word }} \${{ inputs.times }}" } }]
`,
  })
  const { jobs } = await runs(`
on: push
jobs:
  call: { uses: ./.github/workflows/called.yml, with: { word: hello } }
  all:
    needs: call
    runs-on: x
    strategy: { matrix: { os: [a, b], include: [{ os: b, more: yes }, { os: c }] } }
    steps: [{ run: 'test "$OS" != b', env: { OS: "\${{ matrix.os }}" } }]
`)
  expect(jobs['call / tell']!.outputs).toEqual({ told: 'hello 2' })
  expect(Object.entries(jobs).map(([name, { result }]) => `${name}: ${result}`)).toEqual([
    'call / tell: success',
    'all (a): success',
    'all (b, yes): failure',
    'all (c): cancelled',
  ])
})

test('secrets are masked, commands obeyed unless stopped, environment files carried on', async () => {
  const { jobs, log } = await runs(
    `
on: push
jobs:
  job:
    runs-on: x
    steps:
      - run: |
          echo "the key is $KEY"
          echo "::add-mask::hunter2"
          echo "and hunter2"
          echo "::error file=a.yml,line=3,title=t::one%0Atwo"
          echo "::stop-commands::word"
          echo "::warning::not obeyed"
          echo "::word::"
          echo "NAME=carried" >>"$GITHUB_ENV"
          echo "$RUNNER_TEMP/bin" >>"$GITHUB_PATH"
        env: { KEY: "\${{ secrets.KEY }}" }
      - run: 'test "$NAME" = carried && [[ $PATH = "$RUNNER_TEMP/bin:"* ]]'
`,
    { secrets: { KEY: 'correct-horse' } },
  )
  expect(log).not.toMatch(/correct-horse|hunter2/)
  expect(log).toContain('the key is ***')
  expect(jobs.job).toMatchObject({ result: 'success' })
  expect(jobs.job!.steps[0]!.annotations).toEqual([
    { level: 'error', message: 'one\ntwo', file: 'a.yml', line: '3', title: 't' },
  ])
})

test('a cancelled job: SIGINT, SIGTERM 7.5 s later, and SIGKILL; posts still run; nothing is left', async () => {
  await put(speaking)
  const { result, jobs } = await runs(
    `
on: push
jobs:
  job:
    runs-on: x
    steps:
      - { uses: $/speak }
      - name: stubborn
        run: |
          trap 'echo got INT' INT
          trap 'echo got TERM' TERM
          sleep 300 >/dev/null 2>&1 &
          echo ready
          while :; do sleep 0.1; done
      - { name: skipped, run: "true" }
`,
    { onLine: (line, { cancel }) => void (line === 'ready' && cancel()) },
  )
  expect(result).toBe('cancelled')
  const [, stubborn, skipped, post] = jobs.job!.steps
  expect(stubborn).toMatchObject({
    outcome: 'cancelled',
    signalled: 'SIGKILL',
    log: 'ready\ngot INT\ngot TERM\n',
  })
  expect(stubborn!.milliseconds).toBeGreaterThan(9_900)
  expect(skipped).toMatchObject({ outcome: 'skipped' })
  expect(post).toMatchObject({ name: 'Post $/speak', outcome: 'success' })
  expect(jobs.job!.leftovers).toEqual([expect.stringMatching(/sleep$/)])
})

test.each([
  [
    'an unknown key',
    'on: push\njobs: { j: { runs-on: x, container: debian, steps: [{ run: "true" }] } }',
    /container/,
  ],
  ['an invalid workflow', 'on: push\njobs: { j: { steps: [{ run: "true" }] } }', /no valid workflow/],
  [
    'an unknown context',
    `on: push\njobs: { j: { runs-on: x, steps: [{ run: "echo \${{ nothing.a }}" }] } }`,
    /nothing/,
  ],
  ['an unknown shell', 'on: push\njobs: { j: { runs-on: x, steps: [{ run: "1", shell: pwsh }] } }', /pwsh/],
  [
    'an action nobody has',
    'on: push\njobs: { j: { runs-on: x, steps: [{ uses: a/b@v1 }] } }',
    /a\/b@v1 is not at hand/,
  ],
  [
    'an unknown command',
    'on: push\njobs: { j: { runs-on: x, steps: [{ run: "echo ::set-output::x" }] } }',
    /set-output/,
  ],
])('%s is refused by name', async (_, workflow, message) => {
  await expect(runs(workflow)).rejects.toThrow(message)
  expect(await readFile(join(folder, '.github/workflows/w.yml'), 'utf8')).toBe(workflow)
})

test('a pull request: what the event holds, whose branch it is, and the name of its ref', async () => {
  const pullRequest = { head: { ref: 'my-change', repo: { full_name: 'x/product' } }, base: { ref: 'main' } }
  const { result, jobs } = await runs(
    `
on: pull_request
jobs:
  ours:
    if: github.event.pull_request.head.repo.full_name == github.repository
    runs-on: x
    steps: [{ run: exit 1 }]
  theirs:
    if: github.event.pull_request.head.repo.full_name == 'x/product' && github.head_ref == 'my-change'
    runs-on: x
    steps: [{ run: 'test "$GITHUB_HEAD_REF $GITHUB_BASE_REF $GITHUB_REF_NAME" = "my-change main 12/merge"' }]
`,
    { event: { name: 'pull_request', ref: 'refs/pull/12/merge', payload: { pull_request: pullRequest } } },
  )
  expect([result, jobs.ours!.result, jobs.theirs!.result]).toEqual(['success', 'skipped', 'success'])
})
