import type { Repository } from './actions.ts'
import type { Annotation } from './commands.ts'
import type { RunnerMachine } from './machine.ts'

/** Stands for an action of someone else that cannot be had here; the result names every use of it. */
export type Substitute = (given: {
  inputs: Record<string, string>
  workspace: string
  github: Record<string, unknown>
}) => Promise<Record<string, string> | undefined>

export interface StepResult {
  name: string
  /** `skipped`, or how it ended; `continue-on-error` makes a failure's conclusion a success. */
  outcome: 'success' | 'failure' | 'cancelled' | 'skipped'
  outputs: Record<string, string>
  log: string
  annotations: Annotation[]
  milliseconds: number
  signalled?: string
}

export interface JobResult {
  id: string
  result: 'success' | 'failure' | 'cancelled' | 'skipped'
  outputs: Record<string, string>
  steps: StepResult[]
  summary: string
  /** Actions that were not run themselves. */
  substituted: string[]
  /** Programs that the job left running; the runner then kills them. */
  leftovers: string[]
}

export interface JobSetting {
  id: string
  machine: RunnerMachine
  /** The repository of the workflow file. */
  own: Repository
  others: Readonly<Record<string, string>>
  substitutes: Readonly<Record<string, Substitute>>
  /** `github`, `inputs`, `needs`, `matrix`, `secrets`, `vars`, `strategy`. */
  contexts: Record<string, unknown>
  env: Record<string, string>
  defaults: { shell?: string; 'working-directory'?: string }
  /** What the runner gives to JavaScript actions alone. */
  services: Readonly<Record<string, string>>
  masks: Set<string>
  cancelled: AbortSignal
  onLine: (line: string, step: string) => void
  debug: boolean
}
