import { restart } from '../../lib/hypervisor/restart.ts'
import type { Runner } from '../provisioning.ts'

/** Restarts the guest, and goes on with it as it was prepared before. */
export const reboot: Runner<'reboot'> = async ({ title, timeout }, provisioning) => {
  const { machine, guest, work } = provisioning
  const limit = timeout === undefined ? {} : { timeout }
  await provisioning.bootConsole.restarts()
  provisioning.guest = await restart(machine, guest, { title, signal: work.signal, ...limit })
  await provisioning.prepare(provisioning.guest)
  return undefined
}
