import type { ScenarioStep } from '../../lib/spec/scenario.ts'
import { askGuest } from './http.ts'
import type { Outcome, Surroundings } from './outcome.ts'
import { lookAtPort } from './port.ts'
import { runCommand } from './run.ts'
import { download, upload } from './transfer.ts'

/** A step that does something with the guest; `boot` and `rollback` are the engine's own. */
export type GuestStep = Exclude<ScenarioStep, { kind: 'boot' | 'rollback' }>

/** Does once what a step says. */
export async function perform(step: GuestStep, around: Surroundings): Promise<Outcome> {
  switch (step.kind) {
    case 'run':
      return await runCommand(step, around)
    case 'port': {
      const { state, finding, remarks } = await lookAtPort(step.port, step.protocol, around)
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
  }
}

/** Milliseconds a step may take where it does not say. */
export function defaultLimit({ kind }: ScenarioStep): number {
  switch (kind) {
    case 'boot':
    case 'rollback':
    case 'upload':
    case 'download':
      return 15 * 60_000
    case 'run':
      return 5 * 60_000
    default:
      return 60_000
  }
}

/** What a person calls a step: its name, or what it does as written (`{{…}}` not filled in, so no secret shows). */
export function stepTitle(step: ScenarioStep): string {
  if (step.name) return step.name
  const not = step.not ? 'not: ' : ''
  switch (step.kind) {
    case 'boot':
    case 'rollback':
      return step.kind
    case 'run':
      return `${not}run ${step.sensitive ? '(sensitive)' : oneLine(step.command)}`
    case 'port':
      return `${not}port ${step.port}/${step.protocol} ${step.state}`
    case 'upload':
    case 'download':
      return `${not}${step.kind} ${step.from} to ${step.to}`
    default:
      return `${not}${step.kind} ${step.port ? `:${step.port}` : ''}${step.path}`
  }
}

function oneLine(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ')
  return line.length <= 100 ? line : `${line.slice(0, 100)} …`
}
