import { ApplianceError, toApplianceError } from '../lib/errors/error.ts'
import type { ScenarioStep } from '../lib/spec/scenario.ts'
import { eventually, within } from './deadline.ts'
import type { StepRun } from './report.ts'
import { fillStep } from './saved.ts'
import type { Outcome } from './steps/outcome.ts'
import { defaultLimit, perform, stepTitle } from './steps/perform.ts'
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
  secrets: Set<string>
  signal: AbortSignal
}

/** One attempt: an outcome, or the reason why there is none. */
type Attempt = Outcome & { broken?: true }

/**
 * Runs one step: within its time, again until it comes true with `eventually`, and with `not` the other way round.
 * Never throws but for an abort: whatever goes wrong is the step's finding.
 */
export async function runStep(step: ScenarioStep, trial: Trial): Promise<StepRun> {
  const began = performance.now()
  const patience = step.eventually ?? (step.kind === 'port' ? step.within : undefined)
  const limit = step.timeout ?? defaultLimit(step)
  const title = stepTitle(step)
  let outcome: Attempt
  let attempts = 1
  if (patience === undefined) outcome = await attempt(step, title, limit, trial)
  else {
    const tried = await eventually(
      patience,
      trial.signal,
      (remaining) => attempt(step, title, Math.min(limit, remaining), trial),
      ({ met }) => met,
    )
    outcome = tried.answer
    attempts = tried.attempts
  }
  if (outcome.met && step.save !== undefined && outcome.value !== undefined) {
    trial.values.set(step.save, outcome.value)
    if (step.sensitive) trial.secrets.add(outcome.value)
  }
  const output = step.sensitive || !outcome.output ? undefined : outcome.output
  const result: StepResult = {
    title,
    status: outcome.met ? 'passed' : 'failed',
    finding: attempts > 1 ? `${outcome.finding} (tried ${attempts} times)` : outcome.finding,
    remarks: outcome.remarks ?? [],
    duration: performance.now() - began,
  }
  return output === undefined ? { result } : { result, output }
}

async function attempt(step: ScenarioStep, title: string, limit: number, trial: Trial): Promise<Attempt> {
  const { test, signal } = trial
  try {
    const outcome = await within(limit, signal, title, (signal) => once(step, limit, { ...trial, signal }))
    if (!step.not) return outcome
    if (outcome.met)
      return { ...outcome, met: false, finding: `expected this not to be so, but: ${outcome.finding}` }
    // Nothing a dead guest fails to do proves that a living one would not do it.
    await within(60_000, signal, 'asking whether the guest is alive', (signal) =>
      test.guest.run('true', { signal }),
    )
    return { ...outcome, met: true, finding: `not so, as it should be: ${outcome.finding}` }
  } catch (thrown) {
    signal.throwIfAborted()
    const error = toApplianceError(thrown)
    return { met: false, broken: true, finding: hinted(error) }
  }
}

async function once(step: ScenarioStep, limit: number, trial: Trial): Promise<Outcome> {
  const { test, scratch, project, values, signal } = trial
  if (step.kind === 'boot' || step.kind === 'rollback') {
    await test.rewind(signal)
    return { met: true, finding: 'the pristine machine runs' }
  }
  const filled = fillStep(step, values)
  const { guest, machine } = test
  if (!machine) throw new ApplianceError('no-answer', 'the machine is not running')
  test.touch()
  return await perform(filled, { guest, machine, scratch, project, limit, signal })
}

function hinted({ message, hint, code }: ApplianceError): string {
  const line = message.replace(/\s*\n\s*/g, ' ')
  return hint && code === 'input' ? `${line} (${hint})` : line
}
