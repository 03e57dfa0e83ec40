import { type FileHandle, open } from 'node:fs/promises'
import { ApplianceError } from '../errors/error.ts'
import { bytesAt } from '../files/at.ts'
import { type Bytes, fileBytes } from '../files/bytes.ts'
import { GPT_HEAD, isGpt, LINUX_ROOT_X86_64, type Partition, partitions } from './gpt.ts'
import { mbrPartitions } from './mbr.ts'
import { openGuestFiles } from './open-files.ts'

/** Logical Volume Manager, as an MBR and as a GPT have it. */
const LVM = ['8e', 'E6D6D379-F507-44C2-A23C-238F2A3DF928']

/** Where the ext superblock's magic lies in a partition, and what it is (ext4 Data Structures, "Super Block"). */
const EXT = { at: 1024 + 0x38, magic: '53ef' }
/** XFS begins with its magic, `XFSB`. */
const XFS = { at: 0, magic: '58465342' }

interface FileSystem {
  partition: Partition
  filesystem: 'ext4' | 'xfs'
}

export interface FoundRoot extends FileSystem {
  /** Further partitions with such file systems, e.g. one for /boot. */
  others: FileSystem[]
}

/** The partition of {@link findRoot}. */
export async function rootPartition(disk: string): Promise<Partition> {
  return (await findRoot(disk)).partition
}

/**
 * The partition with the guest's root, as {@link rootAmong} chooses it.
 *
 * @param disk raw
 * @throws ApplianceError `input` where there is none
 */
export async function findRoot(disk: string): Promise<FoundRoot> {
  await using file = await open(disk, 'r')
  const all = await partitionsOf(file)
  const root = await rootAmong(all, fileBytes(file, 0, (await file.stat()).size))
  if (root) return root
  if (all.some(({ type }) => LVM.includes(type)))
    throw new ApplianceError('input', 'the disk’s system lies in LVM volumes, which are not looked into', {
      hint: 'Have the installer put it into a plain partition (preseed: partman-auto/method regular; kickstart: autopart --type=plain).',
    })
  throw new ApplianceError('input', 'the disk has no ext4 or xfs partition', {
    hint: 'Only guests whose root file system is ext4 or xfs can be looked at and sealed.',
  })
}

/**
 * The one with the guest's root: by its type, or else the largest ext4 or xfs that has an /etc, or else the largest:
 * one for data may be larger than the root.
 */
export async function rootAmong(all: readonly Partition[], disk: Bytes): Promise<FoundRoot | undefined> {
  const found: FileSystem[] = []
  for (const partition of all) {
    const is = async ({ at, magic }: typeof EXT) =>
      (await disk.read(partition.start + at, magic.length / 2)).toString('hex') === magic
    if (await is(EXT)) found.push({ partition, filesystem: 'ext4' })
    else if (await is(XFS)) found.push({ partition, filesystem: 'xfs' })
  }
  const bySize = found.toSorted((a, b) => b.partition.length - a.partition.length)
  const root =
    found.find(({ partition }) => partition.type === LINUX_ROOT_X86_64) ??
    (await firstWithEtc(bySize, disk)) ??
    bySize[0]
  return root && { ...root, others: bySize.filter((one) => one !== root) }
}

async function firstWithEtc(found: readonly FileSystem[], disk: Bytes): Promise<FileSystem | undefined> {
  if (found.length < 2) return undefined
  for (const one of found) {
    const files = await openGuestFiles(disk, one.partition.start, one.partition.length)
    if (files && (await files.list('/etc')).length > 0) return one
  }
  return undefined
}

/** A partition as the table has it now, e.g. after it was resized. */
export async function partitionNumbered(disk: string, number: number): Promise<Partition> {
  await using file = await open(disk, 'r')
  const found = (await partitionsOf(file)).find((one) => one.number === number)
  if (!found) throw new ApplianceError('check-failed', `the disk has no partition ${number} any more`)
  return found
}

/** All partitions of an open raw disk, whichever table it has. */
export async function partitionsOf(file: FileHandle): Promise<Partition[]> {
  const head = await bytesAt(file, 0, GPT_HEAD)
  return isGpt(head) ? partitions(head) : await mbrPartitions((at) => bytesAt(file, at, 512))
}
