import { Ext4, type Tools } from '../lib/disk/ext4.ts'
import { dataExtents } from '../lib/disk/extents.ts'
import { rootPartition } from '../lib/disk/root-partition.ts'
import { ApplianceError } from '../lib/errors/error.ts'
import type { Log } from '../lib/log/log.ts'
import type { GuestSystem } from '../lib/ovf/descriptor.ts'
import { type DiskSize, resizeDisk } from './disk-size.ts'
import { missingDrivers } from './drivers.ts'
import { proveFreeSpaceEmpty } from './free-space.ts'
import { cannotGrow } from './generalise/growth.ts'
import { type Generalisation, operations } from './generalise/operations.ts'
import { type Plan, plan } from './generalise/plan.ts'
import { scan } from './scan.ts'
import { mirrorAddress, type Needle, otherKeys, privateKeys, tokens } from './secrets.ts'
import { judge, type Suspect } from './suspects.ts'
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
  /** Patterns of files in which private keys are expected. */
  allowed: readonly string[]
  log: Log
  signal: AbortSignal
}

export interface SealReport {
  /** Of the disk. Bytes. */
  capacity: number
  /** Every operation, with the paths it changed; each was proved by reading the disk again. */
  operations: { name: string; reason: string; changed: string[] }[]
  /** Bytes of the root file system that are free, and zero on the disk. */
  free: number
  /** Finds of the scan that may stay. */
  tolerated: Suspect[]
  /** Drivers a kernel lacks, for which a hypervisor would not find disk or network. */
  missingDrivers: string[]
  system: GuestSystem
  /** What its package managers say is on it. */
  installed: Installed[]
}

/**
 * Makes a provisioned disk general and clean, offline: inside a live guest the shutdown would write seeds, journals
 * and leases again. Afterwards it reads the disk anew and proves every single operation.
 */
export async function seal(order: SealOrder): Promise<SealReport> {
  const { disk, tools, scratch, generalisation, log, signal } = order
  const partition = await rootPartition(disk)
  const root = new Ext4(tools, disk, partition.start, scratch, signal)
  const wanted = operations(generalisation)

  await repair(root)
  const lacking = await missingDrivers(root)
  if (lacking.length > 0)
    log.warn(`the kernel lacks ${lacking.join(', ')}: some hypervisors will not boot this appliance`)
  const stuck = await cannotGrow(root, generalisation.skip)
  if (stuck) log.warn(stuck)
  const plans = await plan(wanted, root)
  await root.apply(plans.flatMap(({ changes }) => changes))
  await renewJournal(root)
  const capacity = await resizeDisk(order, root, partition)
  const placed = await rootPartition(disk)
  await discardFreeSpace(root)

  prove(await plan(wanted, root))
  const free = await proveFreeSpaceEmpty(root, disk, partition.start, signal)
  for (const { operation, changes } of plans)
    if (changes.length > 0) log.debug(`${operation.name}: ${changes.length} changed`)

  const needles = [
    privateKeys,
    ...otherKeys,
    ...tokens,
    ...generalisation.mirrorUrls.map(mirrorAddress),
    ...order.needles,
  ]
  const finds = await scan(disk, capacity, await dataExtents(disk, signal), needles, log, signal)
  const suspects = await judge(finds, root, partition.start, placed.length, order.allowed)
  refuseSecrets(suspects.filter(({ tolerated }) => tolerated === undefined))
  return {
    capacity,
    operations: plans.map(({ operation: { name, reason }, changes }) => ({
      name,
      reason,
      changed: changedPaths(changes),
    })),
    free,
    tolerated: suspects,
    missingDrivers: lacking,
    system: await guestSystem(root),
    installed: await installedOn(root, tools, scratch),
  }
}

/** What os-release(5) says. */
async function guestSystem(root: Ext4): Promise<GuestSystem> {
  const text = (await root.read(['/usr/lib/os-release'])).get('/usr/lib/os-release')?.toString() ?? ''
  const id = /^ID="?(\w+)"?$/m.exec(text)?.[1]
  return id === 'debian' || id === 'ubuntu' || id === 'rhel' || id === 'centos' ? id : 'linux'
}

function changedPaths(changes: Plan['changes']): string[] {
  return changes.map((change) => ('entry' in change ? change.entry.path : change.path)).sort()
}

/** Replays the journal and mends what an unclean shutdown left; then nothing may be left to mend. */
async function repair(root: Ext4): Promise<void> {
  const { status, stdout } = await root.e2fs('e2fsck', ['-f', '-p'], true)
  if (status > 1) throw damaged('before sealing', stdout)
  await assertClean(root, 'before sealing')
}

async function assertClean(root: Ext4, when: string): Promise<void> {
  const { status, stdout } = await root.e2fs('e2fsck', ['-f', '-n'], true)
  if (status !== 0) throw damaged(when, stdout)
}

function damaged(when: string, output: string): ApplianceError {
  const words =
    output.split('\n').find((line) => /[?]|error|UNEXPECTED/i.test(line)) ?? output.trim().split('\n').at(-1)
  return new ApplianceError('check-failed', `the root file system is damaged ${when}: ${words}`, {
    hint: 'Run chef-provision again: the machine has to be shut down in order before its disk is packed.',
  })
}

/** A new journal of the same size: the old one holds the build's names and folders. */
async function renewJournal(root: Ext4): Promise<void> {
  const stdout = await root.described()
  const blocks = /^Total journal blocks:\s+(\d+)$/m.exec(stdout)?.[1]
  const blockSize = /^Block size:\s+(\d+)$/m.exec(stdout)?.[1]
  const mebibytes = (Number(blocks) * Number(blockSize)) / 2 ** 20
  if (!Number.isInteger(mebibytes)) return
  await root.e2fs('tune2fs', ['-O', '^has_journal'])
  await root.e2fs('tune2fs', ['-O', 'has_journal', '-J', `size=${mebibytes}`])
}

/**
 * e2fsck writes every folder anew, without the names of what was removed from it, and punches holes into the disk
 * where blocks are free. The superblock's times are set last.
 */
async function discardFreeSpace(root: Ext4): Promise<void> {
  // Two runs, since blocks that the first sets free are not yet among those it discards.
  for (const purpose of [['-D'], ['-E', 'discard']]) {
    const { status, stdout } = await root.e2fs('e2fsck', ['-f', '-y', ...purpose], true)
    if (status > 1) throw damaged('after generalising', stdout)
  }
  const times = ['lastcheck', 'mtime', 'wtime'].map((field) => `set_super_value ${field} 20000101000000`)
  await root.debugfs([...times, 'set_super_value kbytes_written 0', 'set_super_value mnt_count 0'], 'write')
  await assertClean(root, 'after generalising')
}

/** Whatever would still have something to change was not done. */
function prove(plans: readonly Plan[]): void {
  const unproved = plans.filter(({ changes }) => changes.length > 0)
  if (unproved.length === 0) return
  const what = unproved.map(({ operation, changes }) => `${operation.name} (${changedPaths(changes)[0]})`)
  throw new ApplianceError('check-failed', `sealing: not proved: ${what.join(', ')}`)
}

function refuseSecrets(suspects: readonly Suspect[]): void {
  if (suspects.length === 0) return
  const lines = [...new Set(suspects.map(({ name, place }) => `${name} in ${place}`))]
  const first = suspects[0]!
  throw new ApplianceError(
    'check-failed',
    `sealing: the disk holds ${lines.slice(0, 5).join('; ')}${lines.length > 5 ? `; and ${lines.length - 5} more` : ''} (first at byte ${first.offset})`,
    {
      hint: 'Remove it while provisioning, or make it at first boot (first_boot: in the spec), so that no two customers share it.',
    },
  )
}
