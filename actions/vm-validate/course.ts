import type { Log } from '../lib/log/log.ts'
import type { Secrets } from '../lib/log/secrets.ts'
import type { Spec } from '../lib/spec/spec.ts'
import type { Holding } from './kept-open.ts'
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
