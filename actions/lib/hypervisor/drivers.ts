import { ApplianceError } from '../errors/error.ts'
import type { Hypervisor } from './hypervisor.ts'
import type { MachineRoom } from './machine-room.ts'
import { qemu } from './qemu/hypervisor.ts'
import { vagrant } from './vagrant/hypervisor.ts'
import { virtualbox } from './virtualbox/hypervisor.ts'

const drivers = { qemu, virtualbox, vagrant } as const

export type DriverName = keyof typeof drivers

/** What the driver of that name can do; it need not be able to work on this computer. */
export function abilitiesOf(name: DriverName): Pick<Hypervisor, 'name' | 'can'> {
  return drivers[name]({} as MachineRoom)
}

/**
 * The driver of that name, able to work on this computer.
 *
 * @throws ApplianceError `missing-tool` naming everything that is missing
 */
export async function driverNamed(name: DriverName, room: MachineRoom): Promise<Hypervisor> {
  const driver = drivers[name](room)
  const problems = await driver.preflight()
  if (problems.length === 0) return driver
  throw new ApplianceError('missing-tool', `${name}: ${problems.map(({ what }) => what).join('; ')}`, {
    hint: problems.map(({ remedy }) => remedy).join('; '),
  })
}
