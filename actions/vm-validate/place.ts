import type { Guest } from '../lib/guest/guest.ts'
import type { Machine, MachineSpec } from '../lib/hypervisor/hypervisor.ts'
import { formatSize } from '../lib/units/size.ts'

/** One machine, and how far we are with it. */
export interface Place {
  spec: MachineSpec
  machine: Machine | undefined
  guest: Guest | undefined
  running: boolean
  /** Its network cable is pulled, so that it is reached by its serial line. */
  cut: boolean
  /** Which installation is on its disk: 0 is the first machine's. */
  installation: number
  /** By name. */
  snapshots: Set<string>
}

export const emptyPlace = (spec: MachineSpec, installation = 0): Place => ({
  spec,
  installation,
  machine: undefined,
  guest: undefined,
  running: false,
  cut: false,
  snapshots: new Set(),
})

/** What is missing of its serial console's log, in words. */
export function unlogged({ spec, machine }: Place): string[] {
  if (!machine?.unlogged) return []
  const size = formatSize(machine.unlogged)
  return [`the serial console of ${spec.name} said so much that ${size} of it are in no log`]
}
