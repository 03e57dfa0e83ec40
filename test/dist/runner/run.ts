import { join, resolve } from 'node:path'
import type { Repository } from './actions.ts'
import { asString, type Contexts, condition, expand } from './expressions.ts'
import { Job } from './job.ts'
import type { RunnerMachine } from './machine.ts'
import { combinations } from './matrix.ts'
import type { JobResult, Substitute } from './setting.ts'
import { callOf, type JobText, readWorkflow, type WorkflowText } from './workflow.ts'

export interface RunOptions {
  /** What actions/checkout gives, and whose workflow it is. */
  repository: Repository
  /** From the repository's root. */
  workflow: string
  event: {
    name: string
    ref: string
    inputs?: Record<string, unknown>
    /** What else `github.event` holds, e.g. `pull_request`. */
    payload?: { pull_request?: PullRequest; repository?: { default_branch: string; private: boolean } }
  }
  /** The runner that takes a job. */
  machineFor: (job: string, runsOn: unknown) => Promise<RunnerMachine>
  /** owner/name → its files, for `uses: owner/name/…@ref`, actions and workflows. */
  others?: Record<string, string>
  substitutes?: Record<string, Substitute>
  services?: Record<string, string>
  apiUrl?: string
  secrets?: Record<string, string>
  vars?: Record<string, string>
  debug?: boolean
  attempt?: number
  runId?: number
  /** Sees each line of each step's log. */
  onLine?: (line: string, at: { job: string; step: string; cancel: () => void }) => void
}

export interface RunResult {
  result: JobResult['result']
  /** By name: `build`, `build (amd64)`, `release / build`. */
  jobs: Record<string, JobResult>
  log: string
}

/** Of a pull request, as much as workflows ask about. */
export interface PullRequest {
  head: { ref: string; repo: { full_name: string } }
  base: { ref: string }
}

interface Called {
  own: Repository
  workflow: WorkflowText
  inputs: Record<string, unknown>
  secrets: Record<string, string>
  prefix: string
}

const TOKEN = 'ghs_token-of-the-emulated-run'

/**
 * Runs a workflow file as GitHub would, one job after the other. Test equipment: what it does not know it refuses by
 * name. Not there: services, containers, `pre`, problem matchers, job concurrency, environments' gates.
 */
export async function runWorkflow(options: RunOptions): Promise<RunResult> {
  const run = new Run(options)
  const workflow = await readWorkflow(resolve(options.repository.folder, options.workflow))
  const results = await run.jobsOf({
    own: options.repository,
    workflow,
    inputs: options.event.inputs ?? {},
    secrets: { GITHUB_TOKEN: TOKEN, ...options.secrets },
    prefix: '',
  })
  return { result: together(Object.values(results)), jobs: run.jobs, log: run.log }
}

class Run {
  readonly #options: RunOptions
  readonly #cancel = new AbortController()
  readonly #masks = new Set([TOKEN])
  readonly jobs: Record<string, JobResult> = {}
  log = ''

  constructor(options: RunOptions) {
    this.#options = options
    for (const secret of Object.values(options.secrets ?? {})) this.#masks.add(secret)
  }

  /** Every job of one workflow file, those it needs first. */
  async jobsOf(called: Called): Promise<Record<string, JobResult>> {
    const done: Record<string, JobResult> = {}
    const waiting = new Map(Object.entries(called.workflow.jobs))
    while (waiting.size > 0) {
      const next = [...waiting].find(([, job]) => needsOf(job).every((need) => done[need]))
      if (!next) throw new Error(`these jobs wait for each other: ${[...waiting.keys()].join(', ')}`)
      waiting.delete(next[0])
      done[next[0]] = await this.#job(next[0], next[1], done, called)
    }
    return done
  }

  async #job(id: string, job: JobText, done: Record<string, JobResult>, called: Called): Promise<JobResult> {
    const needs = Object.fromEntries(
      needsOf(job).map((need) => [need, { result: done[need]!.result, outputs: done[need]!.outputs }]),
    )
    const contexts = { ...this.#contexts(called), needs }
    // Of all jobs it comes after, not only of those it names. After a skipped one a job is skipped, too, unless its
    // condition says otherwise.
    const results = [...ancestorsOf(id, called.workflow.jobs)].map((before) => done[before]!.result)
    const standing = {
      failed: results.includes('failure'),
      skipped: results.some((result) => result === 'skipped' || result === 'cancelled'),
      cancelled: this.#cancel.signal.aborted,
    }
    const name = `${called.prefix}${id}`
    if (!condition(job.if, contexts, standing)) return this.#record(name, skipped(name))
    const { 'runs-on': _runs, steps: _steps, ...expandable } = job
    for (const key of ['concurrency', 'timeout-minutes', 'environment'] as const)
      if (expandable[key] !== undefined) expand(expandable[key], { ...contexts, matrix: {}, strategy: {} })
    const all: JobResult[] = []
    for (const matrix of combinations(expand(job.strategy?.matrix, contexts))) {
      const title = matrix ? `${name} (${Object.values(matrix).map(asString).join(', ')})` : name
      const here = { ...contexts, matrix: matrix ?? {}, strategy: {} }
      const failed = all.some(({ result }) => result === 'failure')
      if (failed && job.strategy?.['fail-fast'] !== false) {
        all.push(this.#record(title, { ...skipped(title), result: 'cancelled' }))
        continue
      }
      all.push(
        job.uses ? await this.#call(title, job, here, called) : await this.#steps(title, job, here, called),
      )
    }
    const outputs = Object.assign({}, ...all.map((one) => one.outputs)) as Record<string, string>
    return { ...skipped(name), result: together(all), outputs }
  }

  async #steps(name: string, job: JobText, contexts: Contexts, called: Called): Promise<JobResult> {
    const { onLine, substitutes = {}, others = {}, services = {}, debug = false } = this.#options
    const machine = await this.#options.machineFor(name, expand(job['runs-on'], contexts))
    const env = { ...called.workflow.env, ...job.env }
    const runner = new Job({
      id: name,
      machine,
      own: called.own,
      others,
      substitutes,
      contexts: { ...contexts, github: { ...(contexts.github as object), job: name } },
      env: Object.fromEntries(
        Object.entries(expand(env, contexts) as object).map(([key, value]) => [key, asString(value)]),
      ),
      defaults: job.defaults?.run ?? {},
      services,
      masks: this.#masks,
      cancelled: this.#cancel.signal,
      onLine: (line, step) => {
        this.log += `${name} | ${line}\n`
        onLine?.(line, { job: name, step, cancel: () => this.#cancel.abort() })
      },
      debug,
    })
    return this.#record(name, await runner.run(job.steps ?? [], job.outputs))
  }

  /** A reusable workflow: of this repository (`./`, `$/`) or of another. */
  async #call(name: string, job: JobText, contexts: Contexts, caller: Called): Promise<JobResult> {
    const [, repository, path] = /^(?:\.|\$|([\w.-]+\/[\w.-]+))\/(.+?)(?:@.+)?$/.exec(job.uses!) ?? []
    const own =
      repository === undefined ? caller.own : { name: repository, folder: this.#options.others?.[repository] }
    if (path === undefined || own.folder === undefined) throw new Error(`${job.uses} is not at hand`)
    const workflow = await readWorkflow(join(own.folder, path))
    const call = callOf(workflow)
    if (!call) throw new Error(`${job.uses} cannot be called: it has no workflow_call`)
    const given = expand(job.with ?? {}, contexts) as Record<string, unknown>
    for (const input of Object.keys(given))
      if (!call.inputs?.[input]) throw new Error(`${job.uses} takes no input ${input}`)
    const inputs = Object.fromEntries(
      Object.entries(call.inputs ?? {}).map(([input, { default: word, required, type }]) => {
        if (required && given[input] === undefined) throw new Error(`${job.uses} needs the input ${input}`)
        const none = type === 'boolean' ? false : type === 'number' ? 0 : ''
        return [input, given[input] ?? expand(word, this.#contexts(caller)) ?? none]
      }),
    )
    const secrets =
      job.secrets === 'inherit'
        ? caller.secrets
        : { GITHUB_TOKEN: TOKEN, ...(expand(job.secrets ?? {}, contexts) as Record<string, string>) }
    for (const [secret, { required }] of Object.entries(call.secrets ?? {}))
      if (required && secrets[secret] === undefined) throw new Error(`${job.uses} needs the secret ${secret}`)
    const called = { own: own as Repository, workflow, inputs, secrets, prefix: `${name} / ` }
    const done = await this.jobsOf(called)
    const values = Object.entries(call.outputs ?? {}).map(([output, { value }]) => [output, value])
    const outputs = expand(Object.fromEntries(values), { ...this.#contexts(called), jobs: done }) as object
    const strings = Object.entries(outputs).map(([key, value]) => [key, asString(value)])
    return { ...skipped(name), result: together(Object.values(done)), outputs: Object.fromEntries(strings) }
  }

  #contexts({ inputs, secrets }: Called): Contexts {
    const { event, repository, apiUrl, vars = {}, attempt = 1, runId = 1 } = this.#options
    const tag = event.ref.startsWith('refs/tags/')
    return {
      github: {
        repository: repository.name,
        repository_owner: repository.name.split('/')[0],
        ref: event.ref,
        ref_name: event.ref.replace(/^refs\/(heads|tags|pull)\//, ''),
        ref_type: tag ? 'tag' : 'branch',
        sha: '0123456789abcdef0123456789abcdef01234567',
        event_name: event.name,
        head_ref: event.payload?.pull_request?.head.ref ?? '',
        base_ref: event.payload?.pull_request?.base.ref ?? '',
        event: {
          inputs: event.inputs ?? {},
          repository: { default_branch: 'main' },
          ...event.payload,
        },
        run_id: String(runId),
        run_number: '1',
        run_attempt: String(attempt),
        actor: 'someone',
        workflow: 'workflow',
        server_url: 'https://github.com',
        api_url: apiUrl ?? 'http://127.0.0.1:9',
        token: TOKEN,
      },
      inputs,
      secrets,
      vars,
    }
  }

  #record(name: string, job: JobResult): JobResult {
    this.jobs[name] = job
    return job
  }
}

function needsOf({ needs }: JobText): string[] {
  return needs === undefined ? [] : [needs].flat()
}

/** The jobs that have to be done before this one: those it needs, those they need, and so on. */
function ancestorsOf(id: string, jobs: Record<string, JobText>): Set<string> {
  const all = new Set<string>()
  const add = (job: string): void => {
    for (const need of needsOf(jobs[job]!)) {
      if (all.has(need)) continue
      all.add(need)
      add(need)
    }
  }
  add(id)
  return all
}

function together(jobs: readonly JobResult[]): JobResult['result'] {
  const results = jobs.map(({ result }) => result)
  for (const worst of ['cancelled', 'failure'] as const) if (results.includes(worst)) return worst
  return results.every((result) => result === 'skipped') ? 'skipped' : 'success'
}

function skipped(id: string): JobResult {
  return { id, result: 'skipped', outputs: {}, steps: [], summary: '', substituted: [], leftovers: [] }
}
