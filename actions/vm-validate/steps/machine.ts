import { mkdtemp, open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import { exists } from '../../lib/files/exists.ts'
import { type DiskImage, type MachineSpec, overlaysOf } from '../../lib/hypervisor/hypervisor.ts'
import type { Boot, ScenarioStep } from '../../lib/spec/scenario.ts'
import { formatDuration } from '../../lib/units/duration.ts'
import { machineOfDisk, machineOfOva } from '../subject.ts'
import type { TestMachine } from '../test-machine.ts'
import type { Outcome } from './outcome.ts'

/** What is left of the last machine that another one took the place of, for `data_disks: moved`. */
export interface Left {
  disks?: readonly DiskImage[]
  /** It was switched off first, so that all it wrote is on them. */
  off?: boolean
}

/** What steps that change which machine there is work with. */
export interface Room {
  test: TestMachine
  project: string
  /** The scenario's own folder on this computer. */
  scratch: string
  /** Data disks of this scenario, by name: raw files. */
  disks: Map<string, string>
  left: Left
  signal: AbortSignal
}

/** A step that changes which machine there is, or whether it runs. */
export type MachineStep = Extract<
  ScenarioStep,
  { kind: 'boot' | 'reboot' | 'power_off' | 'power_cut' | 'snapshot' | 'rollback' | 'network' }
>

/** Does what such a step says. */
export async function changeMachine(step: MachineStep, room: Room): Promise<Outcome> {
  const { test, signal } = room
  const began = performance.now()
  const took = () => formatDuration(performance.now() - began)
  switch (step.kind) {
    case 'boot': {
      const { kind: _, ...how } = step
      return await boot(how, room)
    }
    case 'reboot':
      await test.reboot(signal)
      return met(`restarted within ${took()}`)
    case 'power_off':
      await test.off('asked', signal)
      return met(`off within ${took()}`)
    case 'power_cut':
      await test.off('cut', signal)
      return met('the plug is pulled')
    case 'snapshot':
      await test.remember(step.to, signal)
      return met(`remembered within ${took()}`)
    case 'rollback':
      if (step.to === undefined && test.installation !== 0) leave(room)
      if (step.to === undefined) await test.rewind(signal)
      else await test.goBack(step.to, signal)
      return met(step.to === undefined ? 'the pristine machine runs' : `back at ${step.to} within ${took()}`)
    case 'network': {
      if (step.state !== undefined) {
        await test.cable(step.state === 'restored', signal)
        return met(step.state === 'cut' ? 'the cable is unplugged' : 'the cable is plugged in')
      }
      if (step.mac !== undefined || step.nic !== undefined)
        return await boot(
          { ...(step.mac ? { mac: step.mac } : {}), ...(step.nic ? { nic: step.nic } : {}) },
          room,
        )
      const { cable } = test.machine ?? {}
      if (!cable) throw new ApplianceError('input', 'this driver cannot slow the network down')
      await cable.delay(step.delay ?? 0)
      return met(
        step.delay ? `the network is slower by up to ${step.delay} ms` : 'the network is quick again',
      )
    }
  }
}

const met = (finding: string): Outcome => ({ met: true, finding })

/** The keys of a boot step that say how the hardware is other than it was. */
const hardwareKeys = [
  'cpus',
  'memory',
  'firmware',
  'controller',
  'nic',
  'nics',
  'mac',
  'clock',
  'enlarge',
] as const

/** Switches on, or puts another machine in this one's place. */
export async function boot(how: Boot, room: Room): Promise<Outcome> {
  const { test, signal } = room
  const changed =
    hardwareKeys.some((key) => how[key] !== undefined) ||
    how.disks !== undefined ||
    how.data_disks !== undefined
  if (how.ova === undefined && how.disk === undefined && !changed) {
    await test.on(signal)
    return met('it runs')
  }
  const began = performance.now()
  const another = how.ova !== undefined || how.disk !== undefined
  if (another) leave(room)
  const base = await baseOf(how, room)
  const more = how.data_disks === undefined ? {} : { moreDisks: movedTo(base, room.left) }
  const other: MachineSpec = { ...base, ...hardwareOf(how), ...more, ...(await dataDisks(how, room)) }
  await test.exchange(other, another ? 'other' : 'same', signal)
  return met(`another machine runs, within ${formatDuration(performance.now() - began)}`)
}

/** Notes what the machine of the moment leaves behind. */
function leave({ test, left }: Room): void {
  const more = overlaysOf(test.spec)?.slice(1) ?? []
  left.off = !test.running
  left.disks = more.map((path) => ({ path, format: 'qcow2' }))
}

/** A machine's further disks, the first ones of them those of the machine that was left. */
function movedTo({ moreDisks = [] }: MachineSpec, { disks = [], off }: Left): DiskImage[] {
  if (disks.length === 0)
    throw new ApplianceError(
      'input',
      'data_disks: moved: no machine that ships data disks was there before',
      {
        hint: 'Boot one first, e.g. boot: { ova: previous.ova }.',
      },
    )
  if (!off)
    throw new ApplianceError(
      'input',
      'data_disks: moved: the machine that they belong to was still running',
      {
        hint: 'Write power_off before it is left: then all it wrote is on them.',
      },
    )
  return [...disks, ...moreDisks.slice(disks.length)]
}

/** The machine before its hardware is changed: another one's, or this one's, switched off, with its disk. */
async function baseOf({ ova, disk }: Boot, room: Room): Promise<MachineSpec> {
  const { test, scratch, project, signal } = room
  const evidence = test.spec.evidence
  if (ova !== undefined || disk !== undefined) {
    const path = resolve(project, ova ?? disk!)
    if (!(await exists(path))) throw new ApplianceError('input', `there is no ${path} to boot`)
    const folder = await mkdtemp(join(scratch, 'machine-'))
    const { enlarge: _, moreDisks: __, ...same } = test.spec
    // One of its own, so that its hardware can be changed, too.
    const common = same.overlay ? { ...same, overlay: join(folder, 'overlay.qcow2') } : same
    return ova !== undefined
      ? await machineOfOva(path, folder, { ...common, evidence }, signal)
      : await machineOfDisk(path, { ...common, evidence })
  }
  const overlays = overlaysOf(test.spec)
  if (!overlays) throw new ApplianceError('input', 'this driver cannot boot the same disk on other hardware')
  await test.off('asked', signal)
  // Two overlays that follow one another: the machine that was switched off keeps its own.
  const [first, ...moreDisks] = overlays.map((path): DiskImage => ({ path, format: 'qcow2' }))
  const overlay = `${first!.path.replace(/\.qcow2$/, '')}-next.qcow2`
  return { ...test.spec, disk: first!, moreDisks, overlay }
}

function hardwareOf(how: Boot): Partial<MachineSpec> {
  const { cpus, memory, firmware, controller, nics, mac, clock, enlarge, nic } = how
  const given = {
    cpus,
    memory,
    firmware,
    controller,
    nics: nic === 'none' ? 0 : nics,
    mac,
    clock,
    enlarge,
    nic: nic === 'none' ? undefined : nic,
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

/** Makes the disks that are new, and finds those that the scenario had before. */
async function dataDisks({ disks }: Boot, room: Room): Promise<Partial<MachineSpec>> {
  if (disks === undefined) return {}
  const found = []
  for (const { disk, size } of disks) {
    let path = room.disks.get(disk)
    if (path === undefined) {
      if (size === undefined)
        throw new ApplianceError('input', `the scenario has no disk ${disk} yet: give its size`)
      path = join(room.scratch, `${disk}.raw`)
      await using file = await open(path, 'w')
      await file.truncate(size)
      room.disks.set(disk, path)
    }
    found.push({ path, serial: disk })
  }
  return { dataDisks: found }
}
