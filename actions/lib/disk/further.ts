import { open } from 'node:fs/promises'
import type { Bytes } from '../files/bytes.ts'
import { fileBytes } from '../files/bytes.ts'
import type { Partition } from './gpt.ts'
import { openGuestFiles } from './open-files.ts'
import type { RootFileSystem } from './root-file-system.ts'
import { partitionsOf } from './root-partition.ts'

/** What a partition may hold, by which bytes it is known, and where they lie in it. */
const SIGNATURES = [
  ['ext4', 1080, '53ef'], // ext4 Data Structures, "Super Block"
  ['xfs', 0, '58465342'],
  ['btrfs', 0x1_0040, '5f42485266535f4d'],
  ['LVM', 512, '4c4142454c4f4e45'], // LABELONE
  ['LUKS', 0, '4c554b53babe'],
  ['RAID', 4096, 'fc4e2ba9'], // md(4), superblock 1.2
] as const

/** Where the signature lies at the end of the first page, and those that it may be; also of a hibernated machine. */
const SWAP = {
  at: 4086,
  signatures: ['SWAPSPACE2', 'S1SUSPEND\0', 'S2SUSPEND\0', 'ULSUSPEND\0', 'LINHIB0001'],
}

/** A partition beside the root's that holds files. */
export interface Further {
  partition: Partition
  /** `ext4`, `xfs`, `btrfs`, `LVM`, `LUKS`, `RAID`. */
  holds: string
  /** As the root's fstab says; undefined: it is mounted nowhere. */
  mountPoint: string | undefined
}

export interface FurtherPartitions {
  /** The one that is mounted at /boot. */
  boot: Further | undefined
  swap: Partition[]
  /** Any others with files. */
  others: Further[]
}

/** What is on a raw disk beside its root; the ESP and what boots by BIOS do not count. */
export async function furtherPartitions(
  disk: string,
  root: Pick<RootFileSystem, 'read'>,
  rootPartition: Pick<Partition, 'number'>,
): Promise<FurtherPartitions> {
  await using file = await open(disk, 'r')
  const bytes = fileBytes(file, 0, (await file.stat()).size)
  const mounts = mountsOf((await root.read(['/etc/fstab'])).get('/etc/fstab')?.toString() ?? '')
  const found: Further[] = []
  const swap: Partition[] = []
  for (const partition of await partitionsOf(file)) {
    if (partition.number === rootPartition.number) continue
    const at = async (offset: number, length: number) => await bytes.read(partition.start + offset, length)
    if (SWAP.signatures.includes((await at(SWAP.at, 10)).toString('latin1'))) swap.push(partition)
    for (const [holds, offset, magic] of SIGNATURES)
      if ((await at(offset, magic.length / 2)).toString('hex') === magic) {
        found.push({ partition, holds, mountPoint: await mountPointOf(bytes, partition, mounts) })
        break
      }
  }
  const boot = found.find(({ mountPoint, holds }) => mountPoint === '/boot' && /^(ext4|xfs)$/.test(holds))
  return { boot, swap, others: found.filter((one) => one !== boot) }
}

/** What has to be said of partitions that sealing would leave as the build left them. */
export function describeFurther(others: readonly Further[]): string {
  const said = others.map(({ partition, holds, mountPoint }) => {
    return `partition ${partition.number} (${holds}, ${mountPoint === undefined ? 'not in /etc/fstab' : `mounted at ${mountPoint}`})`
  })
  return `${said.join(' and ')} would be shipped as the build left ${others.length > 1 ? 'them' : 'it'}: only the root and /boot are sealed`
}

export const ONE_PARTITION =
  'Have the installer put everything but /boot into one partition (preseed: partman-auto/choose_recipe select atomic; kickstart: part / --fstype=ext4 --grow, no part /home or /var).'

/** Device and mount point, as fstab(5) has them. */
function mountsOf(fstab: string): [string, string][] {
  return fstab
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([device, path]) => (path?.startsWith('/') ? [[device!.replaceAll('"', ''), path]] : []))
}

async function mountPointOf(
  disk: Bytes,
  { start, length, number }: Partition,
  mounts: readonly [string, string][],
): Promise<string | undefined> {
  const files = await openGuestFiles(disk, start, length)
  const names = files
    ? [
        ...[`UUID=${files.uuid}`, `/dev/disk/by-uuid/${files.uuid}`],
        ...(files.label ? [`LABEL=${files.label}`, `/dev/disk/by-label/${files.label}`] : []),
      ]
    : []
  const device = new RegExp(`^/dev/(?:[a-z]+d[a-z]+|nvme\\d+n\\d+p|mmcblk\\d+p)${number}$`)
  return mounts.find(([name]) => names.includes(name) || device.test(name))?.[1]
}
