import { open } from 'node:fs/promises'
import { Ext4 } from '../lib/disk/ext4.ts'
import { dataExtents } from '../lib/disk/extents.ts'
import {
  describeFurther,
  type FurtherPartitions,
  furtherPartitions,
  ONE_PARTITION,
} from '../lib/disk/further.ts'
import type { Partition } from '../lib/disk/gpt.ts'
import { openGuestFiles } from '../lib/disk/open-files.ts'
import type { RootFileSystem, Tools } from '../lib/disk/root-file-system.ts'
import { ApplianceError } from '../lib/errors/error.ts'
import { fileBytes } from '../lib/files/bytes.ts'
import { common, proveFreeSpaceEmpty } from './free-space.ts'

/** The page that mkswap(8) writes: with UUID and label in it. Bytes. */
const SWAP_HEADER = 4096
const STEP = 1 << 20

export interface PartitionsOrder {
  /** Raw. */
  disk: string
  tools: Tools
  scratch: string
  signal: AbortSignal
}

/**
 * The partitions beside the root.
 *
 * @throws ApplianceError `input` where one holds files that nothing seals
 */
export async function sealable(
  disk: string,
  root: RootFileSystem,
  partition: Partition,
): Promise<FurtherPartitions> {
  const further = await furtherPartitions(disk, root, partition)
  if (further.others.length > 0)
    throw new ApplianceError('input', `sealing: ${describeFurther(further.others)}`, { hint: ONE_PARTITION })
  return further
}

/** Versions of the kernels on a partition that is mounted at /boot. */
export async function kernelsOn(disk: string, { boot }: FurtherPartitions): Promise<string[]> {
  if (!boot) return []
  await using file = await open(disk, 'r')
  const { start, length } = boot.partition
  const files = await openGuestFiles(fileBytes(file, 0, (await file.stat()).size), start, length)
  const names = (await files?.list('/')) ?? []
  return names.flatMap(({ name }) => (name.startsWith('vmlinuz-') ? [name.slice('vmlinuz-'.length)] : []))
}

/**
 * Empties swap, which holds the build's memory, and the free space of an ext4 at /boot, and proves both.
 *
 * @returns what was done, a line each
 */
export async function sealFurther(
  { disk, tools, scratch, signal }: PartitionsOrder,
  { boot, swap }: FurtherPartitions,
): Promise<string[]> {
  const done: string[] = []
  for (const { number, start, length } of swap) {
    await emptySwap(disk, start, length, signal)
    const content = [{ start: SWAP_HEADER, length: length - SWAP_HEADER }]
    await proveFreeSpaceEmpty(content, disk, start, signal)
    done.push(`Partition ${number} (swap): emptied; UUID and label stay.`)
  }
  if (!boot) return done
  const { number, start } = boot.partition
  if (boot.holds !== 'ext4')
    return [...done, `Partition ${number} (${boot.holds}, /boot): as the build left it.`]
  const files = new Ext4(tools, disk, start, scratch, signal)
  await files.mend()
  await files.seal([], async () => {})
  const free = await proveFreeSpaceEmpty(await files.free(), disk, start, signal)
  return [...done, `Partition ${number} (ext4, /boot): ${Math.round(free / STEP)} MiB free, all zeros.`]
}

/** Also makes a machine that was hibernated boot as one that was not. @see mkswap(8) */
async function emptySwap(disk: string, start: number, length: number, signal: AbortSignal): Promise<void> {
  const content = [{ start: start + SWAP_HEADER, length: length - SWAP_HEADER }]
  const used = common(content, await dataExtents(disk, signal))
  await using file = await open(disk, 'r+')
  const zeros = Buffer.alloc(STEP)
  for (const extent of used)
    for (let at = extent.start; at < extent.start + extent.length; at += STEP) {
      signal.throwIfAborted()
      await file.write(zeros, 0, Math.min(STEP, extent.start + extent.length - at), at)
    }
  await file.write(Buffer.from('SWAPSPACE2'), 0, 10, start + SWAP_HEADER - 10)
}
