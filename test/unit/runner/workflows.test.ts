import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'

const root = resolve(import.meta.dirname, '../../..')
const folder = join(root, '.github/workflows')

interface Step {
  uses?: string
  run?: string
  with?: Record<string, unknown>
}

interface Concurrency {
  group: string
  'cancel-in-progress': unknown
}

interface Job {
  permissions?: unknown
  concurrency?: Concurrency
  'timeout-minutes'?: unknown
  steps?: Step[]
}

interface Workflow {
  permissions?: unknown
  concurrency?: Concurrency
  jobs: Record<string, Job>
}

interface Action {
  inputs?: Record<string, unknown>
  outputs?: Record<string, unknown>
}

describe.each(readdirSync(folder))('%s', (file) => {
  const workflow = parse(readFileSync(join(folder, file), 'utf8')) as Workflow
  const steps = Object.values(workflow.jobs).flatMap((job) => job.steps ?? [])

  test('nothing is permitted but what a job names', () => {
    expect(workflow.permissions).toEqual({})
    for (const job of Object.values(workflow.jobs)) expect(job.permissions).toBeDefined()
  })

  test('our actions exist and take what they are given', () => {
    for (const { uses, with: given = {} } of steps) {
      if (!uses || !/^[.$]\//.test(uses)) continue
      const path = join(root, uses.slice(2), 'action.yml')
      expect([path, existsSync(path)]).toEqual([path, true])
      const { inputs = {} } = parse(readFileSync(path, 'utf8')) as Action
      expect(Object.keys(inputs)).toEqual(expect.arrayContaining(Object.keys(given)))
    }
  })

  test("others' actions are pinned by hash", () => {
    for (const { uses } of steps)
      if (uses && !/^[.$]\//.test(uses)) expect(uses).toMatch(/^[\w-]+\/[\w./-]+@[0-9a-f]{40}$/)
  })

  test('every job ends some day', () => {
    for (const job of Object.values(workflow.jobs))
      if (job.steps) expect(job['timeout-minutes']).toBeDefined()
  })

  test('two runs of the same do not meet', () => {
    for (const { steps: own, concurrency = workflow.concurrency } of Object.values(workflow.jobs))
      if (own)
        expect(concurrency).toEqual({ group: expect.any(String), 'cancel-in-progress': expect.any(Boolean) })
  })

  test('no expression is pasted into a script', () => {
    for (const { run } of steps) expect(run ?? '').not.toContain('${{')
  })
})
