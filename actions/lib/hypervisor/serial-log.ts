import { join } from 'node:path'
import type { Log } from '../log/log.ts'
import type { MachineSpec } from './hypervisor.ts'

/** Where a machine's serial console is written. */
export function serialLog({ evidence, name }: MachineSpec): string {
  return join(evidence, `${name}-serial.log`)
}

/** Says that it cannot be written any more, and why. */
export function unkept({ name }: MachineSpec, log: Log): (why: string) => void {
  return (why) => log.warn(`${name}: its serial console is not kept any more: ${why}`)
}
