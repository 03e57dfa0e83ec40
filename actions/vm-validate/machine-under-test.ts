import type { Guest } from '../lib/guest/guest.ts'
import type { Machine, MachineSpec } from '../lib/hypervisor/hypervisor.ts'

/**
 * The one machine a list of scenarios shares. It is booted once; when it has finished booting, the *running* machine
 * is remembered, and every scenario begins there. Where the driver cannot remember a running machine, it is booted
 * anew each time.
 */
export interface TestMachine extends AsyncDisposable {
  /** Boots and waits until the guest has finished booting. What fails here fails everything. */
  start(signal: AbortSignal): Promise<void>
  /** Remembers the running machine. */
  keep(signal: AbortSignal): Promise<void>
  /** Goes back to the pristine running machine, unless nothing has happened to it since it was there. */
  rewind(signal: AbortSignal): Promise<void>
  /** Remembers the running machine under a name, until the next {@link rewind}. */
  remember(name: string, signal: AbortSignal): Promise<void>
  /** Goes back to what was remembered under a name. */
  goBack(name: string, signal: AbortSignal): Promise<void>
  /** Says that what happens next may change it. */
  touch(): void
  /** Restarts the guest by its own means. */
  reboot(signal: AbortSignal): Promise<void>
  /** Switches it off: politely, or by pulling the plug. */
  off(how: 'asked' | 'cut', signal: AbortSignal): Promise<void>
  /** Switches it on, if it is off. */
  on(signal: AbortSignal): Promise<void>
  /**
   * Puts another machine in its place, until {@link rewind} or {@link comeBack}.
   *
   * @param disk `same`: other hardware around the installation there is; `other`: another installation
   */
  exchange(other: MachineSpec, disk: 'same' | 'other', signal: AbortSignal): Promise<void>
  /** Puts the first machine back, as it was left. */
  comeBack(): Promise<void>
  /** While the network is cut, the guest is reached by its serial line. */
  cable(connected: boolean, signal: AbortSignal): Promise<void>
  /** Which installation runs: 0 is the first machine's, on whatever hardware; others have numbers of their own. */
  readonly installation: number
  /** What it is made of at the moment. */
  readonly spec: MachineSpec
  readonly running: boolean
  /** Whether there is a connection to the guest. */
  readonly answers: boolean
  /** Milliseconds of each rollback to the pristine running machine. */
  readonly rollbacks: readonly number[]
  /** Milliseconds from switching on to the end of booting, the first time. */
  readonly bootTime: number | undefined
  /** The connection to the guest; another one after each rewind. */
  readonly guest: Guest
  /** The machine of the moment; undefined while there is none. */
  readonly machine: Machine | undefined
  /** Files that show what happened to the machines that there were since the last {@link rewind}; absolute paths. */
  readonly evidence: string[]
  /** What a reader of the verdict must know: how it was rolled back and why, what could not be tried. */
  readonly remarks: readonly string[]
  /** Adds one. */
  remark(remark: string): void
}
