import { ApplianceError, toApplianceError } from '../lib/errors/error.ts'
import type { Guest } from '../lib/guest/guest.ts'
import type { Hypervisor, Machine, MachineSpec } from '../lib/hypervisor/hypervisor.ts'
import type { Log } from '../lib/log/log.ts'
import { formatDuration } from '../lib/units/duration.ts'
import { finishBooting } from './started.ts'

const PRISTINE = 'pristine'

/**
 * The one machine all scenarios share. It is booted once; when it has finished booting, the *running* machine is
 * remembered, and every scenario begins there. Where the driver cannot remember a running machine, it is booted
 * anew each time.
 */
export interface TestMachine extends AsyncDisposable {
  /** Boots and waits until the guest has finished booting. What fails here fails everything. */
  start(signal: AbortSignal): Promise<void>
  /** Remembers the running machine. */
  keep(signal: AbortSignal): Promise<void>
  /** Goes back to the pristine running machine, unless nothing has happened to it since it was there. */
  rewind(signal: AbortSignal): Promise<void>
  /** Says that what happens next may change it. */
  touch(): void
  /** The connection to the guest; another one after each rewind. */
  readonly guest: Guest
  /** The machine of the moment; undefined while there is none. */
  readonly machine: Machine | undefined
  /** What a reader of the verdict should know about how it was booted and rolled back. */
  readonly remarks: string[]
}

/**
 * @param spec must be `throwAway`: nothing that happens in a test may reach the disk that ships
 * @param welcome commands for the guest that has just booted (see `MachineNetwork`)
 */
export function testMachine(
  hypervisor: Hypervisor,
  spec: MachineSpec,
  log: Log,
  welcome?: string,
): TestMachine {
  if (!spec.throwAway) throw new ApplianceError('internal', 'a disk under test must not be written to')
  const remarks: string[] = []
  let machine: Machine | undefined
  let guest: Guest | undefined
  let touched = false
  let remembers = false

  const leave = async () => {
    await guest?.[Symbol.asyncDispose]()
    guest = undefined
  }
  const boot = async (signal: AbortSignal) => {
    await leave()
    await machine?.[Symbol.asyncDispose]()
    machine = undefined
    machine = await hypervisor.boot(spec, signal)
    guest = await machine.guest(signal)
    if (welcome) await guest.run(welcome, { signal, allowFailure: true })
    for (const remark of await finishBooting(guest, signal)) remember(remark)
    touched = false
  }
  const remember = (remark: string) => {
    if (!remarks.includes(remark)) remarks.push(remark)
  }

  return {
    remarks,
    get machine() {
      return machine
    },
    get guest() {
      if (guest) return guest
      throw new ApplianceError('no-answer', 'the machine is not running')
    },
    start: boot,
    touch() {
      touched = true
    },
    async keep(signal) {
      // Without our own connection, the remembered guest has no session that is dead when it comes back.
      await leave()
      try {
        await machine!.snapshot(PRISTINE)
        remembers = true
      } catch (thrown) {
        signal.throwIfAborted()
        remember(`every scenario boots the machine anew, because it cannot be remembered: ${reason(thrown)}`)
      }
      try {
        guest = await machine!.guest(signal)
      } catch (thrown) {
        signal.throwIfAborted()
        remembers = false
        remember(`the machine did not survive being remembered, so it is booted anew: ${reason(thrown)}`)
      }
    },
    async rewind(signal) {
      if (!touched && guest) return
      const began = performance.now()
      if (remembers && machine)
        try {
          await leave()
          await machine.rollback(PRISTINE, signal)
          guest = await machine.guest(signal)
          touched = false
          log.debug(`rolled back in ${formatDuration(performance.now() - began)}`)
          return
        } catch (thrown) {
          signal.throwIfAborted()
          remembers = false
          remember(`a rollback failed, so the machine was booted anew from then on: ${reason(thrown)}`)
        }
      await boot(signal)
      log.debug(`booted anew in ${formatDuration(performance.now() - began)}`)
    },
    async [Symbol.asyncDispose]() {
      await leave()
      await machine?.[Symbol.asyncDispose]()
      machine = undefined
    },
  }
}

function reason(thrown: unknown): string {
  return toApplianceError(thrown).message.replace(/\s*\n\s*/g, ' ')
}
