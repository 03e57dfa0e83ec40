import type { ScenarioStep } from '../../lib/spec/scenario.ts'
import { formatDuration } from '../../lib/units/duration.ts'
import { formatSize } from '../../lib/units/size.ts'
import { changeDisk, changeMemory, setClock } from './conditions.ts'
import { talkAtConsole } from './console.ts'
import { lookAtCron } from './cron.ts'
import { askGuest } from './http.ts'
import {
  lookAtFile,
  lookAtService,
  lookAtUser,
  lookForListener,
  lookForPackage,
  lookForProcess,
} from './looks.ts'
import type { Outcome, Surroundings } from './outcome.ts'
import { lookAtJournal, lookAtTimer } from './plans.ts'
import { lookAtPort } from './port.ts'
import { runCommand } from './run.ts'
import { download, upload } from './transfer.ts'

/** Steps that are the engine's own: they change which machine there is, or hold others. */
const engineKinds = [
  ...(['boot', 'reboot', 'power_off', 'power_cut', 'snapshot', 'rollback', 'network'] as const),
  ...(['repeat', 'parallel'] as const),
] as const
export type EngineStep = Extract<ScenarioStep, { kind: (typeof engineKinds)[number] }>

/** A step that does something with the guest. */
export type GuestStep = Exclude<ScenarioStep, EngineStep>

export function isEngineStep(step: ScenarioStep): step is EngineStep {
  return (engineKinds as readonly string[]).includes(step.kind)
}

/** Does once what a step says. */
export async function perform(step: GuestStep, around: Surroundings): Promise<Outcome> {
  switch (step.kind) {
    case 'run':
      return await runCommand(step, around)
    case 'console':
      return await talkAtConsole(step.lines, around)
    case 'port': {
      const { state, finding, remarks } = await lookAtPort(step, around)
      const met = state === step.state
      return {
        met,
        finding: met ? finding : `expected port ${step.port} ${step.state}, got: ${finding}`,
        remarks,
      }
    }
    case 'get':
    case 'post':
    case 'put':
    case 'patch':
    case 'delete':
    case 'head':
      return await askGuest(step.kind, step, around)
    case 'upload':
      return await upload(step, around)
    case 'download':
      return await download(step, around)
    case 'service':
      return await lookAtService(step, around)
    case 'process':
      return await lookForProcess(step, around)
    case 'file':
      return await lookAtFile(step, around)
    case 'package':
      return await lookForPackage(step, around)
    case 'user':
      return await lookAtUser(step, around)
    case 'listening':
      return await lookForListener(step, around)
    case 'cron':
      return await lookAtCron(step, around)
    case 'timer':
      return await lookAtTimer(step, around)
    case 'journal':
      return await lookAtJournal(step, around)
    case 'time':
      return await setClock(step, around)
    case 'disk':
      return await changeDisk(step, around)
    case 'memory':
      return await changeMemory(step, around)
  }
}

const MINUTE = 60_000

/** Milliseconds that steps of steps have beyond those in them, whose own deadlines come first. */
const SPARE = 10_000

/** Milliseconds within which a negated step that did not come true is asked whether its guest is alive. */
export const ALIVE_WITHIN = MINUTE

/** Milliseconds within which a step is tried again, if it is. */
export function patienceOf(step: ScenarioStep): number | undefined {
  return step.eventually ?? (step.kind === 'port' ? step.within : undefined)
}

/** Milliseconds a step may take where it does not say. */
export function defaultLimit(step: ScenarioStep): number {
  switch (step.kind) {
    case 'boot':
    case 'reboot':
    case 'power_off':
    case 'rollback':
    case 'network':
    case 'upload':
    case 'download':
      return 15 * MINUTE
    case 'memory':
      return step.size === undefined ? MINUTE : 15 * MINUTE
    case 'disk':
      return step.add === undefined ? 5 * MINUTE : 15 * MINUTE
    case 'run':
    case 'console':
    case 'cron':
    case 'timer':
    case 'snapshot':
      return 5 * MINUTE
    case 'repeat':
      return step.times * limitOfAll(step.steps) + SPARE
    case 'parallel':
      return Math.max(...step.steps.map(limitOf)) + SPARE
    default:
      return MINUTE
  }
}

/** Milliseconds a step may take in all: `timeout` is one attempt's where it is tried again. */
export function limitOf(step: ScenarioStep): number {
  return (patienceOf(step) ?? step.timeout ?? defaultLimit(step)) + (step.not ? ALIVE_WITHIN : 0)
}

function limitOfAll(steps: readonly ScenarioStep[]): number {
  return steps.reduce((sum, step) => sum + limitOf(step), 0)
}

/** What a person calls a step: its name, or what it does as written (`{{…}}` not filled in, so no secret shows). */
export function stepTitle(step: ScenarioStep): string {
  if (step.name) return step.name
  return `${step.not ? 'not: ' : ''}${whatItDoes(step)}`
}

function whatItDoes(step: ScenarioStep): string {
  switch (step.kind) {
    case 'boot': {
      const { kind: _, line: __, ...other } = step
      const words = Object.entries(other).flatMap(([key, value]) =>
        ['string', 'number'].includes(typeof value) && !['timeout', 'eventually'].includes(key)
          ? [`${key} ${['memory', 'enlarge'].includes(key) ? formatSize(Number(value)) : value}`]
          : [],
      )
      return ['boot', words.join(', ')].filter(Boolean).join(' ')
    }
    case 'reboot':
      return 'reboot'
    case 'power_off':
      return 'power off'
    case 'power_cut':
      return 'power cut'
    case 'snapshot':
      return `snapshot ${step.to}`
    case 'rollback':
      return step.to === undefined ? 'rollback' : `rollback ${step.to}`
    case 'run':
      return `run ${step.sensitive ? '(sensitive)' : oneLine(step.command)}`
    case 'console':
      return `console ${oneLine(step.lines.map(({ expect }) => expect ?? 'type').join(', '))}`
    case 'port':
      return `port ${step.port}/${step.protocol} ${step.state}`
    case 'upload':
    case 'download':
      return `${step.kind} ${step.from} to ${step.to}`
    case 'service':
      return `service ${step.unit} ${step.state ?? ''}`.trim()
    case 'process':
      return `process ${step.program}`
    case 'file':
      return `file ${step.path}`
    case 'package':
      return `package ${step.package}`
    case 'user':
      return `user ${step.user}`
    case 'listening':
      return `listening ${step.port}/${step.protocol}`
    case 'cron':
      return `cron ${step.command}`
    case 'timer':
      return `timer ${step.timer}`
    case 'journal':
      return `journal ${step.has ?? step.lacks ?? `without ${step.priority ?? 'err'}`}`
    case 'time':
      return `time ${step.set ?? (step.jump === undefined ? 'now' : formatDuration(Math.abs(step.jump)))}`
    case 'network':
      return `network ${step.state ?? [step.mac, step.nic, step.delay && `${step.delay} ms`].filter(Boolean).join(', ')}`
    case 'disk':
      return step.fill
        ? `disk full at ${step.fill}`
        : step.free
          ? `disk freed at ${step.free}`
          : `disk ${step.add} added`
    case 'memory':
      return `memory ${step.take ? `take ${formatSize(step.take)}` : step.available ? `available ${formatSize(step.available)}` : (step.size && formatSize(step.size)) || 'free'}`
    case 'repeat':
      return `repeat ${step.times} times`
    case 'parallel':
      return `${step.steps.length} steps at once`
    default:
      return `${step.kind} ${step.port ? `:${step.port}` : ''}${step.path}`
  }
}

function oneLine(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ')
  return line.length <= 100 ? line : `${line.slice(0, 100)} …`
}
