import { open } from 'node:fs/promises'
import { ApplianceError } from '../errors/error.ts'
import { GPT_HEAD, LINUX_ROOT_X86_64, type Partition, partitions } from './gpt.ts'

/** Where the ext superblock's magic lies in a partition, and what it is (ext4 Data Structures, "Super Block"). */
const MAGIC_AT = 1024 + 0x38
const MAGIC = 0xef53

/** The partition with the guest's root: by its type, or else the largest that is ext4. */
export async function rootPartition(disk: string): Promise<Partition> {
  const file = await open(disk, 'r')
  try {
    const head = Buffer.alloc(GPT_HEAD)
    await file.read(head, 0, GPT_HEAD, 0)
    const ext4: Partition[] = []
    for (const partition of partitions(head)) {
      const magic = Buffer.alloc(2)
      await file.read(magic, 0, 2, partition.start + MAGIC_AT)
      if (magic.readUInt16LE(0) === MAGIC) ext4.push(partition)
    }
    const root =
      ext4.find(({ type }) => type === LINUX_ROOT_X86_64) ?? ext4.sort((a, b) => b.length - a.length)[0]
    if (root) return root
  } finally {
    await file.close()
  }
  throw new ApplianceError('input', 'the disk has no ext4 partition', {
    hint: 'Only guests with an ext4 root file system can be sealed for now.',
  })
}
