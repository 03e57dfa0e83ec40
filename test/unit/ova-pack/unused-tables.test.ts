import { mkdtemp, open, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { run } from '../../../actions/lib/process/command.ts'
import { emptyUnusedTables } from '../../../actions/ova-pack/unused-tables.ts'

const MIB = 2 ** 20
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'appliance-tables-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('tables that nobody has written become zeros; those that are holes stay holes', async () => {
  const image = join(folder, 'root.img')
  await writeFile(image, '')
  await truncate(image, 8192 * MIB)
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-E', 'lazy_itable_init=1,nodiscard', image])
  const { stdout } = await run('dumpe2fs', [image])
  const group = stdout.split(/^(?=Group \d+: )/m).find((one) => /INODE_UNINIT/.test(one))!
  const start = Number(/Inode table at (\d+)/.exec(group)![1]) * 4096
  const trace = Buffer.alloc(MIB + 4096, 'trace of a file')
  await using file = await open(image, 'r+')
  await file.write(trace, 0, trace.length, start)
  await file.sync()
  const before = await stat(image)

  const cancelled = AbortSignal.abort()
  await expect(emptyUnusedTables(image, { run }, cancelled)).rejects.toThrow()

  await emptyUnusedTables(image, { run }, new AbortController().signal)
  const read = Buffer.alloc(trace.length, 1)
  await file.read(read, 0, read.length, start)
  expect(read.equals(Buffer.alloc(trace.length))).toBe(true)
  await file.sync()
  expect(((await stat(image)).blocks - before.blocks) * 512).toBeLessThan(MIB)
  await run('e2fsck', ['-fn', image])
})
