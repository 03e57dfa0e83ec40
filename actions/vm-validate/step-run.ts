import { stringify } from 'yaml'
import { ApplianceError, type ErrorCode, toApplianceError } from '../lib/errors/error.ts'
import type { Log } from '../lib/log/log.ts'
import type { Secrets } from '../lib/log/secrets.ts'
import type { ScenarioStep } from '../lib/spec/scenario.ts'
import type { Browser } from './browser.ts'
import { eventually, within } from './deadline.ts'
import { type Heard, listening } from './heard.ts'
import type { StepRun } from './report.ts'
import { fillStep } from './saved.ts'
import { hidden } from './secrecy.ts'
import { NotStarted } from './started.ts'
import { httpMethods } from './steps/http.ts'
import { boot, changeMachine, type Left } from './steps/machine.ts'
import type { JournalMark, Outcome } from './steps/outcome.ts'
import { ALIVE_WITHIN, defaultLimit, isEngineStep, patienceOf, perform, stepTitle } from './steps/perform.ts'
import { markJournal } from './steps/plans.ts'
import { takenFrom } from './taken.ts'
import type { TestMachine } from './test-machine.ts'
import type { StepResult } from './verdict.ts'

/** What the steps of one scenario share. */
export interface Trial {
  test: TestMachine
  /** The scenario's own folder for downloads. */
  scratch: string
  /** The folder of the spec. */
  project: string
  /** Every `{{name}}` known by now; `save` adds to it. */
  values: Map<string, string>
  /** Texts that must not show anywhere; a `sensitive` step adds what it saves. */
  secrets: Secrets
  browser: Browser
  /** Data disks of this scenario, by name: raw files. */
  disks: Map<string, string>
  /** See {@link Room.left}. */
  left: Left
  /** Where the journal of each installation stood when it came into this scenario. */
  journals: Map<number, JournalMark>
  log: Log
  signal: AbortSignal
}

/** One attempt: an outcome, or the reason why there is none. */
type Attempt = Inner & { broken?: ErrorCode; account: Account }

/** An outcome, and the line of the step inside of it that failed. */
type Inner = Outcome & { line?: number }

/** What an attempt did, whether it came to its end or not. */
interface Account {
  /** The step with all its values. */
  step: ScenarioStep
  heard?: Heard
}

/**
 * Runs one step: within its time, again until it comes true with `eventually`, and with `not` the other way round.
 * Never throws but for an abort: whatever goes wrong is the step's finding.
 */
export async function runStep(step: ScenarioStep, trial: Trial): Promise<StepRun> {
  const began = performance.now()
  const patience = patienceOf(step)
  const limit = step.timeout ?? defaultLimit(step)
  const title = stepTitle(step)
  let outcome: Attempt
  let attempts = 1
  if (patience === undefined) outcome = await attempt(step, title, limit, trial)
  else {
    let last: Attempt | undefined
    const again = async (remaining: number) => {
      const found = await attempt(step, title, Math.min(limit, remaining), trial)
      // One that was only cut short says less than the one before.
      last = last && found.broken === 'timeout' && remaining < limit ? last : found
      return last
    }
    const tried = await eventually(patience, trial.signal, again, ({ met }) => met)
    outcome = tried.answer
    attempts = tried.attempts
  }
  if (outcome.met && step.save !== undefined) outcome = saved(step, step.save, outcome, trial)
  const { account, met } = outcome
  const heard = met ? '' : (account.heard?.text() ?? '')
  const output = step.sensitive ? '' : (outcome.output ?? heard)
  if (step.sensitive) outcome = discreet(step, outcome)
  const line = outcome.line ?? step.line
  const result: StepResult = {
    title,
    status: outcome.met ? 'passed' : 'failed',
    finding: attempts > 1 ? `${outcome.finding} (tried ${attempts} times)` : outcome.finding,
    remarks: outcome.remarks ?? [],
    duration: performance.now() - began,
    ...(line === undefined ? {} : { line }),
  }
  return {
    result,
    ...(output ? { output } : {}),
    ...(met || step.sensitive ? {} : { input: written(account.step) }),
  }
}

/** All that a step says, with every value in its place: what a request sent, what a command was given. */
function written({ line: _, ...step }: ScenarioStep): string {
  // YAML has quotes of its own, in which no secret would be found.
  const shown = JSON.parse(JSON.stringify(step), (_, value) =>
    typeof value === 'string' ? hidden(value) : value,
  )
  return stringify(shown, { lineWidth: 0 })
}

/** Kinds that keep to themselves what a sensitive step of theirs saw. */
const discreetKinds: readonly string[] = ['run', ...httpMethods]

/** What was found, without what it was: only that nothing was found out, and why, says nothing of it. */
function discreet({ kind }: ScenarioStep, outcome: Attempt): Attempt {
  if (discreetKinds.includes(kind) || outcome.broken === 'timeout' || outcome.broken === 'no-answer')
    return outcome
  return { ...outcome, finding: `${outcome.met ? 'as' : 'not as'} expected (not shown)` }
}

/** Takes what is to be saved; where there is no such thing, the step has failed. */
function saved(
  step: ScenarioStep,
  save: NonNullable<ScenarioStep['save']>,
  outcome: Attempt,
  trial: Trial,
): Attempt {
  const wanted = typeof save === 'string' ? { [save]: undefined } : save
  for (const [name, what] of Object.entries(wanted)) {
    const value = takenFrom(outcome, what)
    if (value === undefined) {
      if (what === undefined) return { ...outcome, met: false, finding: `nothing to save as ${name}` }
      const [how, where] = Object.entries(what)[0]!
      return { ...outcome, met: false, finding: `nothing to save as ${name}: there is no ${how} ${where}` }
    }
    trial.values.set(name, value)
    if (step.sensitive && value !== '') {
      trial.secrets.add(value)
      trial.log.mask(value)
    }
  }
  return outcome
}

async function attempt(step: ScenarioStep, title: string, limit: number, trial: Trial): Promise<Attempt> {
  const { test, signal } = trial
  const account: Account = { step }
  try {
    const outcome = await within(limit, signal, title, (signal) =>
      once(step, limit, { ...trial, signal }, account),
    )
    if (!step.not) return { ...outcome, account }
    if (outcome.met)
      return {
        ...outcome,
        account,
        met: false,
        finding: `expected this not to be so, but: ${outcome.finding}`,
      }
    // Nothing a dead guest fails to do proves that a living one would not do it.
    await within(ALIVE_WITHIN, signal, 'asking whether the guest is alive', (signal) =>
      test.guest.run('true', { signal }),
    )
    return { ...outcome, account, met: true, finding: `not so, as it should be: ${outcome.finding}` }
  } catch (thrown) {
    signal.throwIfAborted()
    const error = toApplianceError(thrown)
    if (step.kind === 'boot' && step.not && (thrown instanceof NotStarted || isSilent(test, error)))
      return { account, ...(await neverBooted(error, test, signal)) }
    return { met: false, account, broken: error.code, finding: hinted(error) }
  }
}

/** Whether the machine was switched on and nobody answers there; one that could not even be switched off is no such. */
function isSilent({ running, answers }: TestMachine, { code }: ApplianceError): boolean {
  return running && !answers && (code === 'no-answer' || code === 'timeout')
}

/** The only step whose being out of time is an outcome: that a machine must not boot shows in nothing else. */
async function neverBooted(error: ApplianceError, test: TestMachine, signal: AbortSignal): Promise<Outcome> {
  // Nobody would obey a request to shut down.
  await test.off('cut', signal)
  return { met: true, finding: `not so, as it should be: ${hinted(error)}` }
}

async function once(step: ScenarioStep, limit: number, trial: Trial, account: Account): Promise<Inner> {
  const { test } = trial
  if (step.kind === 'repeat') return await inTurn(step.steps, step.times, trial)
  if (step.kind === 'parallel') return await together(step.steps, trial)
  const filled = fillStep(step, trial.values)
  account.step = filled
  if (isEngineStep(filled)) {
    // To go on with what runs changes nothing.
    if (filled.kind !== 'rollback' && !(filled.kind === 'boot' && test.running)) test.touch()
    const outcome = await changeMachine(filled, trial)
    const { journals, signal } = trial
    if (test.running && test.installation !== 0 && !journals.has(test.installation))
      journals.set(test.installation, await markJournal(test.guest, 'boot', signal))
    return outcome
  }
  test.touch()
  if (filled.kind === 'disk' && filled.add !== undefined)
    return await boot({ disks: [...known(trial), { disk: filled.add, size: filled.size! }] }, trial)
  if (filled.kind === 'memory' && filled.size !== undefined) return await boot({ memory: filled.size }, trial)
  const { guest, machine } = test
  if (!machine) throw new ApplianceError('no-answer', 'the machine is not running')
  account.heard = listening(guest)
  return await perform(filled, {
    ...trial,
    ...account.heard,
    machine,
    limit,
    installation: test.installation,
    journal: trial.journals.get(test.installation),
  })
}

function known({ disks }: Trial): { disk: string }[] {
  return [...disks.keys()].map((disk) => ({ disk }))
}

/** Steps in their order, so many times; the first that fails is the finding. */
async function inTurn(steps: readonly ScenarioStep[], times: number, trial: Trial): Promise<Inner> {
  const remarks = new Set<string>()
  let value: string | undefined
  for (let round = 1; round <= times; round++)
    for (const step of steps) {
      const ran = await runStep(step, trial)
      const { result, output } = ran
      for (const remark of result.remarks) remarks.add(remark)
      if (result.status === 'failed') return failedInside(ran, times > 1 ? `round ${round}, ` : '')
      value = output
    }
  return {
    met: true,
    finding: times > 1 ? `${steps.length} steps, ${times} times` : `${steps.length} steps`,
    remarks: [...remarks],
    ...(value === undefined ? {} : { value }),
  }
}

/** Steps at the same time; all come to their end, and each that failed is in the finding. */
async function together(steps: readonly ScenarioStep[], trial: Trial): Promise<Inner> {
  const runs = await Promise.all(steps.map((step) => runStep(step, trial)))
  const failed = runs.filter(({ result }) => result.status === 'failed')
  const remarks = [...new Set(runs.flatMap(({ result }) => result.remarks))]
  if (failed.length === 0) return { met: true, finding: `${steps.length} steps at once`, remarks }
  const outcomes = failed.map((ran) => failedInside(ran, ''))
  return {
    met: false,
    ...(outcomes[0]!.line === undefined ? {} : { line: outcomes[0]!.line }),
    finding: outcomes.map(({ finding }) => finding).join('; '),
    output: outcomes.map(({ output }) => output ?? '').join('\n'),
    remarks,
  }
}

function failedInside({ result, input, output }: StepRun, where: string): Inner {
  const said = [input, output].filter((part) => part !== undefined).join('\n')
  const at = result.line === undefined ? '' : ` (line ${result.line})`
  return {
    met: false,
    ...(result.line === undefined ? {} : { line: result.line }),
    finding: `${where}${result.title}${at}: ${result.finding}`,
    ...(said === '' ? {} : { output: said }),
    remarks: result.remarks,
  }
}

function hinted({ message, hint, code }: ApplianceError): string {
  const line = message.replace(/\s*\n\s*/g, ' ')
  return hint && code === 'input' ? `${line} (${hint})` : line
}
