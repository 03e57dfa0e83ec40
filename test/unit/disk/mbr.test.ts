import { mkdir, mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { extendedPartitions, mbrPartitions } from '../../../actions/lib/disk/mbr.ts'
import { findRoot, partitionNumbered, rootPartition } from '../../../actions/lib/disk/root-partition.ts'
import { run } from '../../../actions/lib/process/command.ts'

let folder: string
const MIB = 2 ** 20

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'appliance-mbr-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** A disk that sfdisk has partitioned. */
async function disk(script: string, bytes = 64 * MIB): Promise<string> {
  const path = join(folder, 'disk.raw')
  await rm(path, { force: true })
  await writeFile(path, '')
  await truncate(path, bytes)
  await run('sfdisk', ['-q', path], { input: `label: dos\n${script}` })
  return path
}

async function read(path: string) {
  const file = await open(path)
  try {
    return await mbrPartitions(async (at) => {
      const sector = Buffer.alloc(512)
      await file.read(sector, 0, 512, at)
      return sector
    })
  } finally {
    await file.close()
  }
}

test('primary and logical partitions are where sfdisk says, numbered as Linux does', async () => {
  const path = await disk(
    'size=8MiB, type=83, bootable\nsize=8MiB, type=82\ntype=5\nsize=8MiB, type=83\nsize=4MiB, type=8e\n',
  )
  const { stdout } = await run('sfdisk', ['--json', path])
  const expected = (
    JSON.parse(stdout).partitiontable.partitions as {
      node: string
      start: number
      size: number
      type: string
    }[]
  )
    .filter(({ type }) => type !== '5')
    .map(({ node, start, size, type }) => ({
      number: Number(/(\d+)$/.exec(node)![1]),
      type,
      start: start * 512,
      length: size * 512,
    }))
  expect(expected.map(({ number }) => number)).toEqual([1, 2, 5, 6])
  expect(await read(path)).toEqual(expected)
})

test('the root is the largest ext4 partition', async () => {
  const path = await disk('start=2048, size=8MiB, type=83\nsize=40MiB, type=83\n')
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-E', `offset=${10 * MIB}`, path, '8192k'])
  await expect(rootPartition(path)).rejects.toMatchObject({
    message: 'the disk has no ext4 or xfs partition',
  })
  const [, second] = await read(path)
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-E', `offset=${second!.start}`, path, '8192k'])
  expect(await rootPartition(path)).toEqual(second)
})

test('a partition for data may be larger than the root, whatever its file system', async () => {
  const path = await disk('start=2048, size=8MiB, type=83\nsize=320MiB, type=83\n', 340 * MIB)
  const [first, second] = await read(path)
  const tree = join(folder, 'tree')
  await mkdir(join(tree, 'etc'), { recursive: true })
  await writeFile(join(tree, 'etc/fstab'), '')
  await run('mke2fs', [
    ...['-q', '-F', '-t', 'ext4', '-d', tree, '-E', `offset=${first!.start}`, path, '8192k'],
  ])
  const data = join(folder, 'data.xfs')
  await run('mkfs.xfs', ['-q', '-f', '-d', `file,name=${data},size=${second!.length}`])
  await run('dd', [`if=${data}`, `of=${path}`, 'bs=1M', 'seek=9', 'conv=notrunc,sparse', 'status=none'])
  expect(second!.start).toBe(9 * MIB)
  expect(await findRoot(path)).toEqual({
    partition: first,
    filesystem: 'ext4',
    others: [{ partition: second, filesystem: 'xfs' }],
  })
  expect(await partitionNumbered(path, 2)).toEqual(second)
  await expect(partitionNumbered(path, 3)).rejects.toMatchObject({ code: 'check-failed' })
})

test('an extended partition is seen though it is empty', async () => {
  const path = await disk('size=8MiB, type=83\nsize=8MiB, type=f\n')
  expect((await read(path)).map(({ number }) => number)).toEqual([1])
  await using file = await open(path)
  const sector = Buffer.alloc(512)
  await file.read(sector, 0, 512, 0)
  expect(extendedPartitions(sector)).toEqual([{ number: 2, type: '0f', start: 9 * MIB, length: 8 * MIB }])
})

test('LVM is refused by name', async () => {
  await expect(rootPartition(await disk('type=8e\n'))).rejects.toMatchObject({
    message: expect.stringContaining('LVM volumes'),
  })
})

test('a table that leads into itself ends', async () => {
  const path = await disk('type=5\nsize=8MiB, type=83\n')
  const [logical] = await read(path)
  const file = await open(path, 'r+')
  const table = Buffer.alloc(16)
  table[4] = 5
  table.writeUInt32LE(8, 12)
  await file.write(table, 0, 16, logical!.start - MIB + 462)
  await file.close()
  expect((await read(path)).length).toBeLessThan(100)
})

test('bytes that are no table hold no partitions', async () => {
  expect(await mbrPartitions(async () => Buffer.alloc(512, 7))).toEqual([])
})
