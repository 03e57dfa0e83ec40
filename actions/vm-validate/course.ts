import type { Log } from '../lib/log/log.ts'
import type { Secrets } from '../lib/log/secrets.ts'
import type { Spec } from '../lib/spec/spec.ts'
import type { TestMachine } from './test-machine.ts'

/** What everything that is tried on one machine shares. */
export interface Course {
  test: TestMachine
  spec: Pick<Spec, 'validate'>
  /** The folder of the spec. */
  project: string
  /** Scenarios get their scratch folders in here. */
  workDirectory: string
  /** Evidence goes to `evidence/<scenario>/` in here. */
  outDirectory: string
  /** `{{name}}`s known from the start. */
  variables: ReadonlyMap<string, string>
  /** Texts that must not show anywhere; a `sensitive` step adds what it saves, for all that comes later. */
  secrets: Secrets
  /** What becomes of a machine on which something fails. */
  holding: Holding
  /** Tags that were asked for; empty for all. */
  tags: readonly string[]
  /** When the stage began, of `performance.now()`. */
  started: number
  /** Names of evidence folders given away already. */
  folders: Set<string>
  log: Log
  signal: AbortSignal
}

/** What becomes of a machine on which something has failed. */
export interface Holding {
  /** Whether somebody wants to look into it: then nothing may change it after the failure. */
  readonly asked: boolean
  /** Whether one was left: nothing else is tried then. */
  readonly held: boolean
  /**
   * Leaves the machine of a course as it is, for `appliance vm`, until somebody stops it; the first that fails, if that was
   * asked for.
   *
   * @param name of what failed
   */
  hold(course: Pick<Course, 'test'>, name: string): Promise<void>
}
