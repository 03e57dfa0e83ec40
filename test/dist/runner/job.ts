import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { node24 } from '../emulator/step.ts'
import { type ActionPlaces, type Repository, type ResolvedAction, resolveAction } from './actions.ts'
import { StepOutput } from './commands.ts'
import { asString, type Contexts, condition, expand, type Standing } from './expressions.ts'
import { StepFiles } from './files.ts'
import { leftovers, runProcess } from './processes.ts'
import type { JobResult, JobSetting, StepResult } from './setting.ts'
import type { StepText } from './workflow.ts'

interface Scope {
  own: Repository
  inputs?: Record<string, string>
  steps: Record<string, { outputs: Record<string, string>; outcome: string; conclusion: string }>
  actionPath?: string
  env: Record<string, string>
}

/** The steps of one job, one after the other, then the posts of its actions in reverse. */
export class Job {
  readonly #set: JobSetting
  readonly #workspace: string
  readonly #trackingId = `github_${randomUUID()}`
  readonly #posts: { name: string; run: () => Promise<void> }[] = []
  readonly #standing: Standing = { failed: false, cancelled: false }
  readonly result: JobResult
  #path: string[] = []
  #env: Record<string, string>

  constructor(set: JobSetting) {
    this.#set = set
    this.#env = { ...set.env }
    const { repository } = set.contexts.github as { repository: string }
    this.#workspace = set.machine.workspace(repository)
    this.result = {
      id: set.id,
      result: 'success',
      outputs: {},
      steps: [],
      summary: '',
      substituted: [],
      leftovers: [],
    }
  }

  async run(steps: readonly StepText[], outputs: Record<string, unknown> = {}): Promise<JobResult> {
    // The runner empties its temporary folder before each job, and never the workspace: that is for checkout to do.
    await rm(this.#set.machine.temp, { recursive: true, force: true })
    for (const folder of [this.#workspace, this.#set.machine.temp]) await mkdir(folder, { recursive: true })
    const scope: Scope = { own: this.#set.own, steps: {}, env: {} }
    for (const [index, step] of steps.entries()) await this.#step(step, String(index), scope)
    for (const { run } of this.#posts.reverse()) await run()
    this.result.outputs = this.#strings(expand(outputs, this.#contexts(scope)))
    for (const { pid, command } of await leftovers(this.#trackingId)) {
      this.result.leftovers.push(command)
      process.kill(pid, 'SIGKILL')
    }
    this.result.result = this.#standing.cancelled
      ? 'cancelled'
      : this.#standing.failed
        ? 'failure'
        : 'success'
    return this.result
  }

  #contexts(scope: Scope, env: Record<string, string> = {}): Contexts {
    const { contexts, machine } = this.#set
    const github = {
      ...(contexts.github as object),
      workspace: this.#workspace,
      action_path: scope.actionPath,
    }
    return {
      ...contexts,
      ...(scope.inputs && { inputs: scope.inputs }),
      github,
      steps: scope.steps,
      env: { ...this.#env, ...scope.env, ...env },
      runner: {
        os: 'Linux',
        arch: 'X64',
        temp: machine.temp,
        debug: this.#set.debug ? '1' : '',
        name: 'test',
      },
      job: { status: this.#standing.cancelled ? 'cancelled' : this.#standing.failed ? 'failure' : 'success' },
    }
  }

  async #step(step: StepText, index: string, scope: Scope): Promise<void> {
    if (this.#set.cancelled.aborted) this.#standing.cancelled = true
    const id = step.id ?? `__${index}`
    const name = asString(expand(step.name, this.#contexts(scope))) || step.uses || step.run!.split('\n')[0]!
    const note = (outcome: StepResult['outcome'], conclusion: string, outputs: Record<string, string>) => {
      scope.steps[id] = { outcome, conclusion, outputs }
    }
    if (!condition(step.if, this.#contexts(scope), this.#standing)) {
      note('skipped', 'skipped', {})
      const skipped = { name, outcome: 'skipped' as const, outputs: {}, log: '', annotations: [] }
      this.result.steps.push({ ...skipped, milliseconds: 0 })
      return
    }
    const env = this.#strings(expand(step.env ?? {}, this.#contexts(scope)))
    const result = step.uses
      ? await this.#use(step, name, env, scope)
      : await this.#script(step, name, env, scope)
    const forgiven =
      result.outcome === 'failure' &&
      expand(step['continue-on-error'] ?? false, this.#contexts(scope)) === true
    if (result.outcome === 'failure' && !forgiven) this.#standing.failed = true
    if (result.outcome === 'cancelled') this.#standing.cancelled = true
    note(result.outcome, forgiven ? 'success' : result.outcome, result.outputs)
  }

  async #script(step: StepText, name: string, env: Record<string, string>, scope: Scope) {
    const contexts = this.#contexts(scope, env)
    const shell = step.shell ?? this.#set.defaults.shell
    const argv = shells[shell ?? '']
    if (!argv) throw new Error(`this runner does not know the shell ${shell}`)
    const script = join(this.#set.machine.temp, `${randomUUID()}.sh`)
    await writeFile(script, asString(expand(step.run, contexts)))
    const folder = asString(
      expand(step['working-directory'] ?? this.#set.defaults['working-directory'], contexts),
    )
    return await this.#process(name, [...argv, script], resolve(this.#workspace, folder), {
      ...scope.env,
      ...env,
      ...(scope.actionPath && { GITHUB_ACTION_PATH: scope.actionPath }),
    })
  }

  async #use(step: StepText, name: string, env: Record<string, string>, scope: Scope): Promise<StepResult> {
    const places: ActionPlaces = {
      workspace: this.#workspace,
      machine: this.#set.machine,
      own: scope.own,
      sha: (this.#set.contexts.github as { sha: string }).sha,
      others: this.#set.others,
    }
    const contexts = this.#contexts(scope, env)
    const given = this.#strings(expand(step.with ?? {}, contexts))
    const action = await resolveAction(step.uses!, places)
    if (!action) return await this.#substitute(step.uses!, name, given)
    const declared = action.text.inputs ?? {}
    const inputs = Object.fromEntries(
      Object.entries(declared).map(([input, { default: word }]) => [
        input,
        given[input] ?? asString(expand(word, contexts)),
      ]),
    )
    for (const input of Object.keys(given))
      if (!(input in declared)) throw new Error(`${step.uses} takes no input ${input}`)
    return action.text.runs.using === 'composite'
      ? await this.#composite(action, name, inputs, env)
      : await this.#javascript(action, name, inputs, { ...scope.env, ...env })
  }

  async #substitute(uses: string, name: string, inputs: Record<string, string>): Promise<StepResult> {
    const own = uses.replace(/@.*/, '')
    const substitute = this.#set.substitutes[own]
    if (!substitute) throw new Error(`${uses} is not at hand, and nothing stands for it`)
    this.result.substituted.push(own)
    const github = this.#set.contexts.github as Record<string, unknown>
    const result: StepResult = {
      name,
      outcome: 'success',
      outputs: {},
      log: '',
      annotations: [],
      milliseconds: 0,
    }
    this.result.steps.push(result)
    try {
      result.outputs = (await substitute({ inputs, workspace: this.#workspace, github })) ?? {}
    } catch (error) {
      result.outcome = 'failure'
      result.log = String(error)
    }
    return result
  }

  async #composite(
    { text, folder, repository }: ResolvedAction,
    name: string,
    inputs: Record<string, string>,
    env: Record<string, string>,
  ): Promise<StepResult> {
    const inner: Scope = { own: repository, inputs, steps: {}, actionPath: folder, env }
    const failedBefore = this.#standing.failed
    for (const [index, step] of text.runs.steps!.entries()) await this.#step(step, String(index), inner)
    const values = Object.entries(text.outputs ?? {}).map(([output, { value }]) => [output, value])
    const outputs = this.#strings(expand(Object.fromEntries(values), this.#contexts(inner)))
    const outcome = this.#standing.failed && !failedBefore ? 'failure' : 'success'
    const result: StepResult = { name, outcome, outputs, log: '', annotations: [], milliseconds: 0 }
    this.result.steps.push(result)
    return result
  }

  async #javascript(
    { text, folder }: ResolvedAction,
    name: string,
    inputs: Record<string, string>,
    env: Record<string, string>,
  ): Promise<StepResult> {
    const { main, post, 'post-if': postIf } = text.runs
    // As the runner names them: upper case, blanks become underscores, hyphens stay.
    const named = Object.entries(inputs).map(([input, value]) => [
      `INPUT_${input.replaceAll(' ', '_').toUpperCase()}`,
      value,
    ])
    const all = { ...env, ...Object.fromEntries(named), ...this.#set.services }
    let state: Record<string, string> = {}
    if (post !== undefined)
      this.#posts.push({
        name,
        run: async () => {
          if (this.#set.cancelled.aborted) this.#standing.cancelled = true
          const scope: Scope = { own: this.#set.own, steps: {}, env: {} }
          if (!condition(postIf ?? 'always()', this.#contexts(scope), this.#standing)) return
          const saved = Object.entries(state).map(([key, value]) => [`STATE_${key}`, value])
          const environment = { ...all, ...Object.fromEntries(saved) }
          const ended = await this.#process(
            `Post ${name}`,
            [node24, join(folder, post)],
            this.#workspace,
            environment,
          )
          if (ended.outcome === 'failure') this.#standing.failed = true
        },
      })
    return await this.#process(name, [node24, join(folder, main!)], this.#workspace, all, (saved) => {
      state = saved
    })
  }

  async #process(
    name: string,
    argv: readonly string[],
    cwd: string,
    extra: Record<string, string>,
    keepState: (state: Record<string, string>) => void = () => {},
  ): Promise<StepResult> {
    const files = await StepFiles.in(await mkdtemp(join(this.#set.machine.temp, 'step-')))
    const output = new StepOutput(this.#set.masks, this.#set.debug)
    const began = performance.now()
    // What begins after the cancellation (posts, `if: always()`) is not cancelled again.
    const late = this.#set.cancelled.aborted
    const { status, signalled } = await runProcess(
      argv,
      { cwd, env: { ...this.#runnerEnvironment(), ...this.#env, ...extra, ...files.environment } },
      (text) => {
        for (const line of output.push(text)) this.#set.onLine(line, name)
      },
      late ? new AbortController().signal : this.#set.cancelled,
    )
    output.end()
    Object.assign(this.#env, await files.map('ENV'))
    this.#path = [...(await files.paths()).reverse(), ...this.#path]
    keepState(await files.map('STATE'))
    this.result.summary += await files.summary()
    const result: StepResult = {
      name,
      outcome: signalled ? 'cancelled' : status === 0 ? 'success' : 'failure',
      outputs: await files.map('OUTPUT'),
      log: output.log,
      annotations: output.annotations,
      milliseconds: performance.now() - began,
      ...(signalled && { signalled }),
    }
    this.result.steps.push(result)
    return result
  }

  #runnerEnvironment(): Record<string, string> {
    const { machine, contexts, debug } = this.#set
    const github = contexts.github as Record<string, unknown>
    const named = ['repository', 'ref', 'ref_name', 'ref_type', 'sha', 'event_name', 'run_id', 'run_number']
    const more = ['run_attempt', 'actor', 'server_url', 'api_url', 'job', 'workflow', 'head_ref', 'base_ref']
    return {
      PATH: [...this.#path, process.env.PATH!].join(':'),
      HOME: machine.home,
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      GITHUB_WORKSPACE: this.#workspace,
      ...Object.fromEntries(
        [...named, ...more].map((key) => [`GITHUB_${key.toUpperCase()}`, asString(github[key])]),
      ),
      RUNNER_TEMP: machine.temp,
      RUNNER_OS: 'Linux',
      RUNNER_ARCH: 'X64',
      RUNNER_TRACKING_ID: this.#trackingId,
      ...(debug && { RUNNER_DEBUG: '1' }),
      ...machine.environment,
    }
  }

  #strings(values: unknown): Record<string, string> {
    return Object.fromEntries(Object.entries(values as object).map(([key, value]) => [key, asString(value)]))
  }
}

const shells: Readonly<Record<string, readonly string[]>> = {
  '': ['bash', '-e'],
  bash: ['bash', '--noprofile', '--norc', '-eo', 'pipefail'],
  sh: ['sh', '-e'],
}
