import { z } from 'zod'
import { request } from './scenario/http.ts'
import * as looks from './scenario/looks.ts'
import * as machine from './scenario/machine.ts'
import * as talk from './scenario/talk.ts'
import { count, list, section, words, yesOrNo } from './section.ts'
import { guestPath, mode, nothing, type StepSettings, stepOf } from './step.ts'

export type { Expectation, Request } from './scenario/http.ts'
export type * from './scenario/looks.ts'
export type * from './scenario/machine.ts'
export type { ConsoleLine, Port, Run } from './scenario/talk.ts'

const single = {
  boot: machine.boot,
  reboot: nothing('Has the guest restart, and waits until it has booted'),
  power_off: nothing('Has the guest shut down, and waits until it is off; boot switches it on again'),
  power_cut: nothing('Pulls the plug, in the midst of whatever it does; boot switches it on again'),
  snapshot: machine.snapshot,
  rollback: machine.rollback,
  run: talk.run,
  console: talk.console,
  port: talk.port,
  get: request,
  post: request,
  put: request,
  patch: request,
  delete: request,
  head: request,
  upload: section({
    from: words('a file: one downloaded in this scenario, or one of the project'),
    to: guestPath(),
    owner: words('a user').optional(),
    mode: mode().optional().describe('In quotes: "0644"'),
  })
    .transform((given) => given as { from: string; to: string; owner?: string; mode?: number })
    .describe('Copies a file downloaded before, or one of the project, into the guest'),
  download: section({
    from: guestPath(),
    to: words('a name in the scenario’s folder'),
  }).describe('Copies a file out of the guest, for later steps'),
  service: looks.service,
  process: looks.process,
  file: looks.file,
  package: looks.packageLook,
  user: looks.user,
  listening: looks.listening,
  cron: looks.cron,
  timer: looks.timer,
  journal: looks.journal,
  time: machine.time,
  network: machine.network,
  disk: machine.disk,
  memory: machine.memory,
}

/** 1-based line of the file where a step begins. */
interface Placed {
  line?: number
}

type Single = {
  [N in keyof typeof single]: { kind: N } & z.output<(typeof single)[N]> & StepSettings & Placed
}[keyof typeof single]

/** Steps done several times, or at the same time. */
export type Block = StepSettings &
  Placed &
  ({ kind: 'repeat'; times: number; steps: ScenarioStep[] } | { kind: 'parallel'; steps: ScenarioStep[] })

export type ScenarioStep = Single | Block

const steps = list(
  z.lazy(() => scenarioStep),
  'a list of steps',
).min(1, { error: 'name at least one step' })

const blocks = {
  repeat: section({
    times: count(1, 10_000).default(1).describe('How often; with eventually, once each time it is tried'),
    steps,
  }).describe('Does some steps several times'),
  parallel: steps.transform((steps) => ({ steps })).describe('Does some steps at the same time'),
}

const kinds = Object.keys({ ...single, ...blocks })

/** Steps that have a value: what they printed, received or found. */
const withValue = [
  ...['run', 'get', 'post', 'put', 'patch', 'delete', 'head'],
  ...['file', 'package', 'cron', 'journal', 'time'],
]

/** Steps that do something and look at nothing. */
const looksAtNothing = [
  ...['reboot', 'power_off', 'power_cut', 'snapshot', 'rollback', 'time', 'network', 'disk'],
  ...['repeat', 'parallel'],
]

/** What a kind does not heed: it is a fault, not silence. */
function idleSettings(kind: string): Record<string, string> {
  return {
    ...(kind === 'run' ? {} : { as: 'it goes with run', env: 'it goes with run' }),
    ...(withValue.includes(kind) ? {} : { save: `it goes with ${withValue.join(', ')}` }),
    ...(looksAtNothing.includes(kind) ? { not: 'it does something and looks at nothing' } : {}),
  }
}

export const scenarioStep: z.ZodType<ScenarioStep> = stepOf(
  { ...single, ...blocks },
  { shared: true, idle: Object.fromEntries(kinds.map((kind) => [kind, idleSettings(kind)])) },
) as unknown as z.ZodType<ScenarioStep>

/** A scenario file. */
export const scenarioFile = section({
  name: words('a name').describe('A sentence that is true of the appliance'),
  tags: list(words('a tag'), 'a list of tags').default([]).describe('smoke: also run on the packed OVA'),
  only: yesOrNo()
    .default(false)
    .describe('Runs this one, and the others that say so, alone; such a run vouches for nothing'),
  skip: words('the reason why').optional().describe('Leaves it out, for the reason given here'),
  steps: list(scenarioStep, 'a list of steps')
    .min(1, { error: 'a scenario needs at least one step' })
    .describe('What is done and looked at, in order'),
})

export interface Scenario {
  name: string
  tags: string[]
  only: boolean
  skip?: string
  /** Each with the line where it begins. */
  steps: ScenarioStep[]
  /** Relative to the spec's folder. */
  file: string
  /** 1-based. */
  line: number
}

/** The steps inside of a step. */
export function innerSteps(step: ScenarioStep): ScenarioStep[] {
  return step.kind === 'repeat' || step.kind === 'parallel' ? step.steps : []
}

/** All steps of a list, those inside of others after the one they are in. */
export function everyStep(steps: readonly ScenarioStep[]): ScenarioStep[] {
  return steps.flatMap((step) => [step, ...everyStep(innerSteps(step))])
}
