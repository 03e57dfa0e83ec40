import { type FileHandle, open } from 'node:fs/promises'
import { ApplianceError } from '../errors/error.ts'
import { bytesAt } from '../files/at.ts'
import { GPT_HEAD, isGpt, LINUX_ROOT_X86_64, type Partition, partitions } from './gpt.ts'
import { mbrPartitions } from './mbr.ts'

/** Where the ext superblock's magic lies in a partition, and what it is (ext4 Data Structures, "Super Block"). */
const MAGIC_AT = 1024 + 0x38
const MAGIC = 0xef53

/** Logical Volume Manager, as an MBR and as a GPT have it. */
const LVM = ['8e', 'E6D6D379-F507-44C2-A23C-238F2A3DF928']

/**
 * The partition with the guest's root: by its type, or else the largest that is ext4.
 *
 * @param disk raw
 * @throws ApplianceError `input` where there is none
 */
export async function rootPartition(disk: string): Promise<Partition> {
  const file = await open(disk, 'r')
  try {
    const all = await partitionsOf(file)
    const ext4: Partition[] = []
    for (const partition of all) {
      const magic = await bytesAt(file, partition.start + MAGIC_AT, 2)
      if (magic.readUInt16LE(0) === MAGIC) ext4.push(partition)
    }
    const root =
      ext4.find(({ type }) => type === LINUX_ROOT_X86_64) ?? ext4.sort((a, b) => b.length - a.length)[0]
    if (root) return root
    if (all.some(({ type }) => LVM.includes(type)))
      throw new ApplianceError('input', 'the disk’s system lies in LVM volumes, which are not looked into', {
        hint: 'Have the installer put it into a plain ext4 partition (preseed: partman-auto/method regular).',
      })
  } finally {
    await file.close()
  }
  throw new ApplianceError('input', 'the disk has no ext4 partition', {
    hint: 'Only guests with an ext4 root file system can be sealed for now.',
  })
}

/** All partitions of an open raw disk, whichever table it has. */
export async function partitionsOf(file: FileHandle): Promise<Partition[]> {
  const head = await bytesAt(file, 0, GPT_HEAD)
  return isGpt(head) ? partitions(head) : await mbrPartitions((at) => bytesAt(file, at, 512))
}
