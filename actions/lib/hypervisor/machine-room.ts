import type { Log } from '../log/log.ts'
import type { MachineNetwork } from '../network/network.ts'

/** Where machines run. A stage's work is one. */
export interface MachineRoom {
  network(): MachineNetwork
  readonly log: Log
  /** Where overlays go, which may grow large; by default, the place for large temporary files. */
  readonly workDirectory?: string
}
