import type { Guest } from '../lib/guest/guest.ts'
import type { Machine } from '../lib/hypervisor/hypervisor.ts'
import type { ProvisionStep } from '../lib/spec/spec.ts'
import type { StageWork } from '../lib/stage/stage.ts'
import type { BootConsole } from './boot-console.ts'
import type { StepReport } from './report.ts'

/** What the steps work on. */
export interface Provisioning {
  readonly work: Pick<StageWork, 'project' | 'log' | 'signal' | 'workDirectory' | 'outDirectory' | 'network'>
  readonly machine: Machine
  /** Another one after a restart. */
  guest: Guest
  /** Environment of every step (see mirror-access). */
  readonly env: Readonly<Record<string, string>>
  /** Lets the guest use the mirror again: what that takes is gone after a restart. */
  readonly prepare: (guest: Guest) => Promise<void>
  /** Where the step's downloads go. */
  readonly files: string
  /** What the guest's console has said since it was last started or restarted. */
  readonly bootConsole: BootConsole
  /** Where the machine's serial console is written. */
  readonly serial: string
  /** A step that fails leaves in the guest what it had put there for its own use: somebody will look at it. */
  readonly leaves: boolean
  /** What the step has done so far, for the report; it stands there, too, where the step fails. */
  done?: Partial<StepReport>
}

/** Runs one kind of step. What it gives is the step's part of the report. */
export type Runner<K extends ProvisionStep['kind']> = (
  step: Extract<ProvisionStep, { kind: K }> & { title: string },
  provisioning: Provisioning,
) => Promise<Partial<StepReport> | undefined>
