import { readFile } from 'node:fs/promises'
import { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } from '@actions/workflow-parser'
import { parse } from 'yaml'

export interface StepText {
  id?: string
  name?: string
  if?: unknown
  uses?: string
  run?: string
  shell?: string
  with?: Record<string, unknown>
  env?: Record<string, unknown>
  'working-directory'?: string
  'continue-on-error'?: unknown
  'timeout-minutes'?: unknown
}

export interface JobText {
  name?: string
  needs?: string | string[]
  if?: unknown
  'runs-on'?: unknown
  permissions?: unknown
  concurrency?: unknown
  environment?: unknown
  'timeout-minutes'?: unknown
  strategy?: { matrix: unknown; 'fail-fast'?: unknown; 'max-parallel'?: unknown }
  env?: Record<string, unknown>
  defaults?: { run?: { shell?: string; 'working-directory'?: string } }
  outputs?: Record<string, unknown>
  steps?: StepText[]
  uses?: string
  with?: Record<string, unknown>
  secrets?: 'inherit' | Record<string, unknown>
}

export interface CallText {
  inputs?: Record<string, { type?: string; required?: boolean; default?: unknown }>
  outputs?: Record<string, { value: unknown }>
  secrets?: Record<string, { required?: boolean }>
}

export interface WorkflowText {
  name?: string
  on: unknown
  permissions?: unknown
  env?: Record<string, unknown>
  concurrency?: unknown
  jobs: Record<string, JobText>
}

/** What this runner knows; any other key is an error, never silently left out. */
const known = {
  workflow: ['name', 'run-name', 'on', 'permissions', 'env', 'concurrency', 'jobs'],
  job: [
    ...['name', 'needs', 'if', 'runs-on', 'permissions', 'concurrency', 'environment', 'timeout-minutes'],
    ...['strategy', 'env', 'defaults', 'outputs', 'steps', 'uses', 'with', 'secrets'],
  ],
  step: [
    ...['id', 'name', 'if', 'uses', 'run', 'shell', 'with', 'env', 'working-directory'],
    ...['continue-on-error', 'timeout-minutes'],
  ],
  strategy: ['matrix', 'fail-fast', 'max-parallel'],
}

/** A workflow file: found valid by GitHub's own parser, then read as it is written. */
export async function readWorkflow(path: string): Promise<WorkflowText> {
  const content = await readFile(path, 'utf8')
  const { context, value } = parseWorkflow({ name: path, content }, new NoOperationTraceWriter())
  if (value) await convertWorkflowTemplate(context, value)
  const errors = context.errors.getErrors().map(({ message }) => message)
  if (errors.length > 0) throw new Error(`${path} is no valid workflow:\n${errors.join('\n')}`)
  // YAML 1.2 reads `on` as a string, as GitHub does.
  const workflow = parse(content) as WorkflowText
  onlyKnown(workflow, known.workflow, path)
  for (const [id, job] of Object.entries(workflow.jobs)) {
    onlyKnown(job, known.job, `${path}: job ${id}`)
    if (job.strategy) onlyKnown(job.strategy, known.strategy, `${path}: job ${id}: strategy`)
    for (const step of job.steps ?? []) onlyKnown(step, known.step, `${path}: a step of ${id}`)
  }
  return workflow
}

/** What a reusable workflow says of its inputs, outputs and secrets. */
export function callOf({ on }: WorkflowText): CallText | undefined {
  if (on === 'workflow_call') return {}
  if (Array.isArray(on)) return on.includes('workflow_call') ? {} : undefined
  const triggers = on as Record<string, CallText | null>
  return 'workflow_call' in triggers ? (triggers.workflow_call ?? {}) : undefined
}

/** Throws on a key that this runner does not know, naming it. */
export function onlyKnown(map: object, keys: readonly string[], where: string): void {
  const unknown = Object.keys(map).filter((key) => !keys.includes(key))
  if (unknown.length > 0) throw new Error(`${where}: this runner does not know ${unknown.join(', ')}`)
}
