import { open, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { Ext4, FIXED_TIME } from '../lib/disk/ext4.ts'
import { ext4Figure } from '../lib/disk/ext4-programs.ts'
import { GPT_HEAD, GPT_TAIL, isGpt, type Partition, type Placed, relocateBackup } from '../lib/disk/gpt.ts'
import { extendedPartitions, primaryResized } from '../lib/disk/mbr.ts'
import type { RootFileSystem, Tools } from '../lib/disk/root-file-system.ts'
import { partitionsOf } from '../lib/disk/root-partition.ts'
import { ApplianceError } from '../lib/errors/error.ts'
import { bytesAt, writeAt } from '../lib/files/at.ts'
import type { Log } from '../lib/log/log.ts'
import { run } from '../lib/process/command.ts'
import { formatSize } from '../lib/units/size.ts'
import { emptyUnusedTables } from './unused-tables.ts'

const MIB = 2 ** 20

/** Of a minimal disk: what the first boot needs besides, at least. */
const RESERVE = 512 * MIB

/** Else it asks /sys whether the kernel of this computer could finish what it leaves for later. */
const ALWAYS_LAZY = { RESIZE2FS_FORCE_LAZY_ITABLE_INIT: '1' }

/** Bytes of the whole disk, or as few as its content needs. */
export type DiskSize = number | 'minimal'

export interface SizeOrder {
  /** Raw disk; it is changed in place. */
  disk: string
  tools: Tools
  /** A folder for a temporary file, as large as the root's content. */
  scratch: string
  /** Default: what it has, rounded up to a whole MiB. */
  size?: DiskSize | undefined
  log: Log
  signal: AbortSignal
}

/**
 * Makes a disk larger or smaller, and the root in it: partition and file system end where the disk does. A root that
 * is not the last partition, or is XFS, stays as it is (and may grow at the customer's). What resizing leaves behind in free blocks is not wiped here.
 *
 * @returns the disk's size in bytes, a whole number of MiB
 * @throws ApplianceError `input` where the content needs more
 */
export async function resizeDisk(
  order: SizeOrder,
  root: RootFileSystem,
  partition: Partition,
): Promise<number> {
  const { disk, log } = order
  const before = (await stat(disk)).size
  const wanted = order.size ?? before
  const { all, gpt } = await tableOf(disk)
  const last = all.every(({ start }) => start <= partition.start)
  if (!(root instanceof Ext4) || !last || (!gpt && partition.number > 4)) {
    if (wanted === 'minimal')
      log.warn(
        `pack.hardware.disk: minimal: the root is ${root instanceof Ext4 ? 'not the last partition' : 'XFS, which cannot shrink'}, so it stays as it is`,
      )
    else if (wanted < before) throw tooSmall(wanted, before)
    const size = whole(wanted === 'minimal' ? before : wanted)
    await resizeFile(disk, before, size)
    return size
  }
  // The root ends at a whole MiB, so the backup of a GPT takes one.
  const around = partition.start + (gpt ? MIB : 0)
  const least = wanted === 'minimal' || wanted < before ? around + (await leastRoot(root)) : 0
  const comfortable = least + Math.max(RESERVE, least / 8)
  const size = whole(wanted === 'minimal' ? Math.min(before, comfortable) : wanted)
  if (size < least) throw tooSmall(wanted, least)
  if (size === whole(before)) await resizeFile(disk, before, size)
  else {
    const length = Math.floor((size - (gpt ? GPT_TAIL : 0)) / MIB) * MIB - partition.start
    await resizeRoot(order, partition, { before, size, length })
  }
  return size
}

/** Bytes that the root file system needs for what is in it. */
async function leastRoot(root: Ext4): Promise<number> {
  const { stdout } = await root.e2fs('resize2fs', ['-f', '-P'])
  const blocks = Number(/: (\d+)$/m.exec(stdout)?.[1])
  return blocks * ext4Figure(await root.described(), 'Block size')
}

/**
 * In a file of its own: resize2fs cuts files off where the file system ends, without regard to an offset.
 */
async function resizeRoot(
  { disk, tools, scratch, signal }: SizeOrder,
  partition: Partition,
  { before, size, length }: { before: number; size: number; length: number },
): Promise<void> {
  const { number, start } = partition
  const image = join(scratch, 'root.img')
  const within = (bytes: number) =>
    `driver=raw,offset=${start},size=${bytes},file.driver=file,file.filename=${disk.replaceAll(',', ',,')}`
  const copy = (...words: string[]) => run('qemu-img', ['convert', '-q', '-S', '4k', ...words], { signal })
  try {
    await copy('--image-opts', within(partition.length), '-O', 'raw', image)
    await tools.run('resize2fs', ['-f', image, `${length / 512}s`], {
      signal,
      env: { ...FIXED_TIME, ...ALWAYS_LAZY },
    })
    await truncate(image, length)
    await emptyUnusedTables(image, tools, signal)
    await truncate(disk, start)
    await resizeFile(disk, before, size, { number, start, length })
    await copy('-n', '--target-is-zero', '-f', 'raw', image, '--target-image-opts', within(length))
  } finally {
    await rm(image, { force: true })
  }
}

/** The file and its partition table; `root` is where the root's partition ends from now on. */
async function resizeFile(disk: string, before: number, size: number, root?: Placed): Promise<void> {
  if (size === before) return
  await using file = await open(disk, 'r+')
  const head = await bytesAt(file, 0, GPT_HEAD)
  await file.truncate(size)
  const changes = isGpt(head)
    ? relocateBackup(head, before, size, root)
    : root
      ? [{ position: 0, bytes: primaryResized(head.subarray(0, 512), root) }]
      : []
  for (const { position, bytes } of changes) await writeAt(file, position, bytes)
}

async function tableOf(disk: string): Promise<{ all: Partition[]; gpt: boolean }> {
  await using file = await open(disk, 'r')
  const head = await bytesAt(file, 0, GPT_HEAD)
  const gpt = isGpt(head)
  // An empty one has no partition in it, and is in the way nevertheless.
  const extended = gpt ? [] : extendedPartitions(head.subarray(0, 512))
  return { all: [...(await partitionsOf(file)), ...extended], gpt }
}

function whole(bytes: number): number {
  return Math.ceil(bytes / MIB) * MIB
}

function tooSmall(wanted: DiskSize, least: number): ApplianceError {
  return new ApplianceError(
    'input',
    `pack.hardware.disk: ${wanted === 'minimal' ? wanted : formatSize(wanted)} is too little: what is on the disk needs ${whole(least) / MIB} MiB`,
    { hint: 'pack.hardware.disk: minimal gives the smallest disk on which the machine can still work.' },
  )
}
