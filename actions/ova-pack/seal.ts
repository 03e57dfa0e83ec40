import { dataExtents } from '../lib/disk/extents.ts'
import { openRoot } from '../lib/disk/open-root.ts'
import type { Tools } from '../lib/disk/root-file-system.ts'
import { partitionNumbered } from '../lib/disk/root-partition.ts'
import { ApplianceError } from '../lib/errors/error.ts'
import type { Lock } from '../lib/lock/lock.ts'
import type { Log } from '../lib/log/log.ts'
import { type DiskSize, resizeDisk } from './disk-size.ts'
import { missingDrivers } from './drivers.ts'
import { proveFreeSpaceEmpty } from './free-space.ts'
import { cannotGrow } from './generalise/growth.ts'
import { type Generalisation, operations } from './generalise/operations.ts'
import { type Plan, plan } from './generalise/plan.ts'
import { hasSelinux } from './generalise/selinux.ts'
import { type Login, logins, openDoors } from './logins.ts'
import { type OsRelease, osRelease } from './os-release.ts'
import { kernelsOn, sealable, sealFurther } from './partitions.ts'
import { scan } from './scan.ts'
import { type Needle, usualNeedles } from './secrets.ts'
import { type Allowed, judge, refuseSecrets, type Suspect } from './suspects.ts'
import { installedOn } from './trust/installed.ts'
import type { Installed } from './trust/parts.ts'

export interface SealOrder {
  /** Raw disk; it is changed in place. */
  disk: string
  tools: Tools
  /** A folder for temporary files. */
  scratch: string
  generalisation: Generalisation
  /** What else must not be on the disk: the build's key, secrets of the spec. */
  needles: readonly Needle[]
  /** What the disk is to have; default: what it has, rounded up to a whole MiB. */
  size?: DiskSize | undefined
  /** Where the spec says that keys may stay. */
  allowed: readonly Allowed[]
  /** What is in it says its licence there. */
  lock?: Lock | undefined
  log: Log
  signal: AbortSignal
}

export interface SealReport {
  /** Of the disk. Bytes. */
  capacity: number
  /** Every operation, with the paths it changed; each was proved by reading the disk again. */
  operations: { name: string; reason: string; changed: string[] }[]
  /** Names of operations that the spec does not want. */
  skipped: readonly string[]
  /** Bytes of the root file system that are free, and zero on the disk. */
  free: number
  /** What was done to the partitions beside the root, a line each. */
  partitions: string[]
  /** Finds of the scan that may stay. */
  tolerated: Suspect[]
  /** Drivers a kernel lacks, for which a hypervisor would not find disk or network. */
  missingDrivers: string[]
  /** What it says it is. */
  os: OsRelease
  /** Who can get in, as the sealed disk has it. */
  logins: Login[]
  /** What its package managers say is on it. */
  installed: Installed[]
}

/**
 * Makes a provisioned disk general and clean, offline: inside a live guest the shutdown would write seeds, journals
 * and leases again. Afterwards it reads the disk anew and proves every single operation.
 */
export async function seal(order: SealOrder): Promise<SealReport> {
  const { disk, tools, scratch, generalisation, log, signal } = order
  const { partition, root } = await openRoot(disk, tools, scratch, signal)
  await root.mend()
  const wanted = operations({ ...generalisation, selinux: await hasSelinux(root) })
  const further = await sealable(disk, root, partition)
  const lacking = await missingDrivers(root, await kernelsOn(disk, further))
  if (lacking.length > 0)
    log.warn(`the kernel lacks ${lacking.join(', ')}: some hypervisors will not boot this appliance`)
  const stuck = await cannotGrow(root, generalisation.skip)
  if (stuck) log.warn(stuck)
  const plans = await plan(wanted, root)
  let capacity = 0
  await root.seal(
    plans.flatMap(({ changes }) => changes),
    async () => {
      capacity = await resizeDisk(order, root, partition)
    },
  )
  const partitions = await sealFurther(order, further)
  const placed = await partitionNumbered(disk, partition.number)

  prove(await plan(wanted, root))
  const free = await proveFreeSpaceEmpty(await root.free(), disk, partition.start, signal)
  for (const { operation, changes } of plans)
    if (changes.length > 0) log.debug(`${operation.name}: ${changes.length} changed`)

  const needles = [...usualNeedles(generalisation.mirrorUrls), ...order.needles]
  const finds = await scan(disk, capacity, await dataExtents(disk, signal), needles, log, signal)
  const suspects = await judge(finds, root, partition.start, placed.length, order.allowed, tools, scratch)
  refuseSecrets(suspects)
  const who = await logins(root)
  for (const warning of openDoors(who, generalisation)) log.warn(warning)
  return {
    capacity,
    operations: plans.map(({ operation: { name, reason }, changes }) => ({
      name,
      reason,
      changed: changedPaths(changes),
    })),
    skipped: generalisation.skip ?? [],
    free,
    partitions,
    tolerated: suspects,
    missingDrivers: lacking,
    os: await osRelease(root),
    logins: who,
    installed: await installedOn(root, tools, scratch, order.lock),
  }
}

function changedPaths(changes: Plan['changes']): string[] {
  return changes.map((change) => ('entry' in change ? change.entry.path : change.path)).sort()
}

/** Whatever would still have something to change was not done. */
function prove(plans: readonly Plan[]): void {
  const unproved = plans.filter(({ changes }) => changes.length > 0)
  if (unproved.length === 0) return
  const what = unproved.map(({ operation, changes }) => `${operation.name} (${changedPaths(changes)[0]})`)
  throw new ApplianceError('check-failed', `sealing: not proved: ${what.join(', ')}`)
}
