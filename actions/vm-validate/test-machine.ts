import { ApplianceError, toApplianceError } from '../lib/errors/error.ts'
import { comingGuest } from '../lib/guest/coming.ts'
import type { Guest } from '../lib/guest/guest.ts'
import type { Hypervisor, Machine, MachineSpec, Power } from '../lib/hypervisor/hypervisor.ts'
import { restart } from '../lib/hypervisor/restart.ts'
import type { Log } from '../lib/log/log.ts'
import { formatDuration } from '../lib/units/duration.ts'
import { within } from './deadline.ts'
import { bootable } from './hardware.ts'
import type { TestMachine } from './machine-under-test.ts'
import { emptyPlace, type Place, unlogged } from './place.ts'
import { finishBooting } from './started.ts'

export type { TestMachine } from './machine-under-test.ts'

const PRISTINE = 'pristine'

/**
 * A test machine of a hypervisor.
 *
 * @param welcome what the network wants done in a guest that has just booted
 */
export function testMachine(
  hypervisor: Hypervisor,
  spec: MachineSpec,
  log: Log,
  welcome?: string,
): TestMachine {
  const remarked = new Set<string>()
  const rollbacks: number[] = []
  let touched = false
  let remembers = false
  let bootTime: number | undefined
  /** Machines that were put in the first one's place, so far. */
  let exchanged = 0
  /** What is left of those that are gone. */
  let left: string[] = []

  const remember = (remark: string) => void remarked.add(remark)
  const place = (spec: MachineSpec, installation = 0): Place => {
    const { controller, why } = bootable(spec, hypervisor)
    if (why) remember(`the disk is at AHCI, not at ${spec.controller}: ${why}`)
    return emptyPlace({ ...spec, controller }, installation)
  }
  const home = place(spec)
  let at = home
  const leave = async (place = at) => {
    await place.guest?.[Symbol.asyncDispose]()
    place.guest = undefined
  }
  const end = async (place: Place) => {
    await leave(place)
    unlogged(place).forEach(remember)
    await place.machine?.[Symbol.asyncDispose]()
    Object.assign(place, { ...emptyPlace(place.spec, place.installation) })
  }
  /** Waits until a machine that was just switched on has booted. */
  const settle = async (place: Place, signal: AbortSignal) => {
    place.running = true
    place.guest = await place.machine!.guest(signal)
    if (welcome) await place.guest.run(welcome, { signal, allowFailure: true })
    for (const remark of await finishBooting(place.guest, signal)) remember(remark)
  }
  const boot = async (place: Place, signal: AbortSignal) => {
    await end(place)
    const began = performance.now()
    place.machine = await hypervisor.boot(place.spec, signal)
    await settle(place, signal)
    if (place === home) bootTime ??= performance.now() - began
  }
  const power = (place: Place): Power => {
    if (place.machine?.power) return place.machine.power
    throw new ApplianceError('input', `${hypervisor.name} cannot switch a machine off and on again`)
  }
  /** A serial line's shell is opened over the network, once the guest has booted. */
  const plugged = (what: string) => {
    if (at.cut)
      throw new ApplianceError('input', `a guest that ${what} with its network cut cannot be reached`, {
        hint: 'Write network: restored before; boot: { nic: none } boots without a network.',
      })
  }
  /** Leaves a shell on the serial line, which sets the clock after a rollback; without one, that is done later. */
  const listen = async (signal: AbortSignal) => {
    const { machine, guest, spec } = home
    if (!machine?.line || !guest || spec.nics === 0) return
    try {
      const line = await within(15_000, signal, 'a serial line', (signal) => machine.line!(guest, signal))
      await line[Symbol.asyncDispose]()
    } catch {
      signal.throwIfAborted()
    }
  }
  const comeBack = async () => {
    if (at !== home) await end(at)
    at = home
    left = []
  }

  return {
    get remarks() {
      return [...new Set([...remarked, ...unlogged(home), ...(at === home ? [] : unlogged(at))])]
    },
    remark: remember,
    rollbacks,
    get bootTime() {
      return bootTime
    },
    get installation() {
      return at.installation
    },
    get spec() {
      return at.spec
    },
    get running() {
      return at.running
    },
    get answers() {
      return at.guest !== undefined
    },
    get machine() {
      return at.machine
    },
    get guest() {
      if (at.guest) return at.guest
      throw new ApplianceError(
        'no-answer',
        at.machine && !at.running ? 'the machine is off; boot switches it on' : 'the machine is not running',
      )
    },
    get evidence() {
      const all = [home, ...(at === home ? [] : [at])].map(({ machine }) => machine?.evidence ?? [])
      return [...new Set([...left, ...all.flat()])]
    },
    start: (signal) => boot(home, signal),
    touch() {
      touched = true
    },
    async keep(signal) {
      await listen(signal)
      // Without our own connection, the remembered guest has no session that is dead when it comes back.
      await leave()
      try {
        await home.machine!.snapshot(PRISTINE)
        remembers = true
      } catch (thrown) {
        signal.throwIfAborted()
        remember(`every scenario boots the machine anew, because it cannot be remembered: ${reason(thrown)}`)
      }
      try {
        home.guest = await home.machine!.guest(signal)
      } catch (thrown) {
        signal.throwIfAborted()
        remembers = false
        remember(`the machine did not survive being remembered, so it is booted anew: ${reason(thrown)}`)
      }
    },
    async rewind(signal) {
      await comeBack()
      if (!touched && home.guest) return
      const began = performance.now()
      if (remembers && home.machine)
        try {
          await leave()
          await home.machine.rollback(PRISTINE, signal)
          // Once it was seen to answer after a rollback, nobody waits for that.
          home.guest = rollbacks.length === 0 ? await home.machine.guest(signal) : coming(home.machine)
          home.running = true
          home.cut = false
          touched = false
          rollbacks.push(performance.now() - began)
          log.debug(`rolled back in ${formatDuration(performance.now() - began)}`)
          return
        } catch (thrown) {
          signal.throwIfAborted()
          remembers = false
          remember(`a rollback failed, so the machine was booted anew from then on: ${reason(thrown)}`)
        }
      await boot(home, signal)
      touched = false
      log.debug(`booted anew in ${formatDuration(performance.now() - began)}`)
    },
    async remember(name, signal) {
      // The shell on a serial line is no session that would be dead afterwards, and the only way in.
      if (!at.cut) await leave()
      await at.machine!.snapshot(name)
      at.snapshots.add(name)
      at.guest ??= await at.machine!.guest(signal)
    },
    async goBack(name, signal) {
      if (!at.snapshots.has(name) || !at.machine)
        throw new ApplianceError('input', `nothing is remembered under the name ${name} on this machine`)
      await leave()
      await at.machine.rollback(name, signal)
      at.running = true
      at.cut = false
      at.guest = coming(at.machine)
    },
    async reboot(signal) {
      const { guest, machine } = at
      if (!guest || !machine) throw new ApplianceError('no-answer', 'the machine is not running')
      plugged('restarts')
      at.guest = undefined
      await using _ = await restart(machine, guest, { title: at.spec.name, signal })
      await settle(at, signal)
    },
    async off(how, signal) {
      if (!at.running) return
      if (how === 'cut') await power(at).cut()
      else if (!(await power(at).off(signal)))
        throw new ApplianceError('timeout', 'the guest was asked to shut down and did not')
      await leave()
      at.running = false
    },
    async on(signal) {
      if (at.running) return
      if (!at.machine) return await boot(at, signal)
      plugged('is switched on')
      await power(at).on()
      await settle(at, signal)
    },
    async exchange(other, disk, signal) {
      const before = at
      const number = ++exchanged
      // A name of its own, so that none writes over what another one's serial console said.
      const spec = { ...other, name: `${home.spec.name}-exchanged-${number}` }
      at = place(spec, disk === 'same' ? before.installation : number)
      touched = true
      try {
        await boot(at, signal)
      } finally {
        // What the one before had written is below what the new one has.
        if (before !== home) {
          left.push(...(before.machine?.evidence ?? []))
          await end(before)
        }
      }
    },
    comeBack,
    async cable(connected, signal) {
      const { machine, guest } = at
      if (!machine?.cable || !guest)
        throw new ApplianceError('input', `${hypervisor.name} cannot pull the network cable of this machine`)
      const line = connected ? undefined : await machine.line?.(guest, signal)
      await leave()
      await machine.cable.plug(connected)
      at.cut = !connected
      at.guest = line ?? (await machine.guest(signal))
    },
    async [Symbol.asyncDispose]() {
      if (at !== home) await end(at)
      await end(home)
    },
  }
}

/** The step that rolled back is over before the connection is there. */
function coming(machine: Machine): Guest {
  return comingGuest((signal) => machine.guest(signal))
}

function reason(thrown: unknown): string {
  return toApplianceError(thrown).message.replace(/\s*\n\s*/g, ' ')
}
