import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { dataExtents } from '../lib/disk/extents.ts'
import type { Log } from '../lib/log/log.ts'
import type { Spec } from '../lib/spec/spec.ts'
import { scan } from './scan.ts'
import type { Needle } from './secrets.ts'
import { type Allowed, judgeDataDisk, refuseSecrets, type Suspect } from './suspects.ts'

export interface DataDiskOrder {
  wanted: Spec['pack']['hardware']['data_disks']
  /** Raw disks, as `dataDisks` made them. */
  disks: readonly string[]
  needles: readonly Needle[]
  allowed: readonly Allowed[]
  log: Log
  signal: AbortSignal
}

/**
 * Looks for secrets on those that are not empty; they are shipped as they are, so nothing is taken off them.
 *
 * @returns what may stay
 * @throws ApplianceError `check-failed` that names what may not
 */
export async function searchDataDisks(order: DataDiskOrder): Promise<Suspect[]> {
  const { wanted, disks, needles, allowed, log, signal } = order
  const suspects: Suspect[] = []
  for (const [index, { file }] of wanted.entries()) {
    if (file === undefined) continue
    const disk = disks[index]!
    const { size } = await stat(disk)
    const finds = await scan(disk, size, await dataExtents(disk, signal), needles, log, signal)
    suspects.push(...judgeDataDisk(finds, basename(file), allowed))
  }
  refuseSecrets(suspects)
  return suspects
}
