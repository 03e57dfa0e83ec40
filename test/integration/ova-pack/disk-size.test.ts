import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Ext4 } from '../../../actions/lib/disk/ext4.ts'
import { rootPartition } from '../../../actions/lib/disk/root-partition.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { type DiskSize, resizeDisk } from '../../../actions/ova-pack/disk-size.ts'
import { quietLog } from './quiet-log.ts'
import { sampleDisk } from './sample-disk.ts'

jest.setTimeout(120_000)

const MIB = 2 ** 20
const GIB = 2 ** 30
/** Spread over the whole root, so that making it small has to move it. */
const content = randomBytes(40 * MIB)
let folder: string
let gpt: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ova-fit-'))
  gpt = await sampleDisk(join(folder, 'gpt.raw'), { '/data': content, '/etc/hostname': 'good\n' }, 1200)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

interface Table {
  partitions: { start: number; size: number; type: string; uuid?: string }[]
  lastlba?: number
}
async function tableOf(disk: string): Promise<Table> {
  return JSON.parse((await run('sfdisk', ['-J', disk])).stdout.replaceAll(/"node":.*,/g, '')).partitiontable
}

/** A copy of a disk, made as large as said; then everybody else is asked about it. */
async function fitted(from: string, name: string, size: DiskSize | undefined) {
  const disk = join(folder, name)
  await run('cp', ['--sparse=always', from, disk])
  const scratch = join(folder, `${name}.scratch`)
  await mkdir(scratch)
  const signal = new AbortController().signal
  const log = quietLog()
  const tools = { run }
  const partition = await rootPartition(disk)
  const root = new Ext4(tools, disk, partition.start, scratch, signal)
  await run('e2fsck', ['-fy', root.device], { allowFailure: true })
  const bytes = await resizeDisk({ disk, tools, scratch, size, log, signal }, root, partition)
  expect((await stat(disk)).size).toBe(bytes)
  const verified = await run('sfdisk', ['--verify', disk])
  expect(verified.stdout + verified.stderr).toContain('No errors detected')
  await run('e2fsck', ['-fn', root.device])
  const dumped = join(folder, `${name}.data`)
  await run('debugfs', ['-R', `dump /data ${dumped}`, root.device])
  expect(digest(await readFile(dumped))).toBe(digest(content))
  const blocks = Number(/^Block count:\s+(\d+)$/m.exec(await root.described())![1])
  const after = await rootPartition(disk)
  return { disk, bytes, log, after, fileSystem: blocks * 4096, table: await tableOf(disk) }
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

describe('a disk with a GPT', () => {
  test('as large as it was stays as it is, to the bit', async () => {
    const { disk } = await fitted(gpt, 'same.raw', undefined)
    // e2fsck has set its time, and that alone.
    const { stdout } = await run('cmp', ['-l', gpt, disk], { allowFailure: true })
    expect(stdout.trim().split('\n').length).toBeLessThan(40)
  })

  test('one of half a MiB more is rounded up', async () => {
    const odd = join(folder, 'odd.raw')
    await run('cp', ['--sparse=always', gpt, odd])
    await truncate(odd, 1200 * MIB + MIB / 2)
    expect((await fitted(odd, 'rounded.raw', undefined)).bytes).toBe(1201 * MIB)
  })

  test('that becomes larger: the root fills it, everything else stays', async () => {
    const { bytes, after, fileSystem, table } = await fitted(gpt, 'larger.raw', 2 * GIB)
    expect(bytes).toBe(2 * GIB)
    expect(after.start + after.length).toBe(2 * GIB - MIB)
    expect(fileSystem).toBe(after.length)
    const before = await tableOf(gpt)
    expect(table.partitions.slice(0, 2)).toEqual(before.partitions.slice(0, 2))
    expect({ ...table.partitions[2], size: 0 }).toEqual({ ...before.partitions[2], size: 0 })
    expect(table.lastlba).toBe((2 * GIB) / 512 - 34)
  })

  test('minimal: content, and room for the first boot', async () => {
    const { bytes, after, fileSystem } = await fitted(gpt, 'minimal.raw', 'minimal')
    expect(bytes).toBeGreaterThan(550 * MIB)
    expect(bytes).toBeLessThan(720 * MIB)
    expect(after.start + after.length).toBe(bytes - MIB)
    expect(fileSystem).toBe(after.length)
  })

  test('minimal is never more than it was', async () => {
    const small = await sampleDisk(join(folder, 'small.raw'), { '/data': content }, 200)
    expect((await fitted(small, 'still-small.raw', 'minimal')).bytes).toBe(200 * MIB)
  })

  test('gives the same bytes every time', async () => {
    const once = await fitted(gpt, 'once.raw', 'minimal')
    const twice = await fitted(gpt, 'twice.raw', 'minimal')
    // But for when resize2fs wrote the superblock, which sealing sets.
    const { stdout } = await run('cmp', ['-l', once.disk, twice.disk], { allowFailure: true })
    expect(stdout.trim().split('\n').length).toBeLessThan(80)
  })

  test('too little for its content is refused, with what it needs', async () => {
    await expect(fitted(gpt, 'tiny.raw', 40 * MIB)).rejects.toMatchObject({
      code: 'input',
      message: expect.stringMatching(
        /^pack\.hardware\.disk: 4[\d.]+ MB is too little: what is on the disk needs \d+ MiB$/,
      ),
    })
  })

  test('what it is said to need is enough', async () => {
    const refused = await fitted(gpt, 'refused.raw', 40 * MIB).catch((error: Error) => error.message)
    const least = Number(/needs (\d+) MiB$/.exec(String(refused))![1]) * MIB
    const { start } = await rootPartition(gpt)
    const { stdout } = await run('resize2fs', ['-f', '-P', `${join(folder, 'refused.raw')}?offset=${start}`])
    const { bytes, fileSystem } = await fitted(gpt, 'least.raw', least)
    expect(bytes).toBe(least)
    expect(fileSystem).toBeGreaterThanOrEqual(Number(/: (\d+)$/m.exec(stdout)![1]) * 4096)
    await expect(fitted(gpt, 'less.raw', least - MIB)).rejects.toMatchObject({ code: 'input' })
  })
})

describe('a disk with an MBR', () => {
  async function mbr(name: string, table: string, size: number): Promise<string> {
    const disk = join(folder, name)
    await writeFile(disk, '')
    await truncate(disk, size * MIB)
    await run('sfdisk', ['-q', disk], { input: `label: dos\n${table}` })
    const { partitions } = await tableOf(disk)
    const root = partitions.find(({ type }) => type === '83')!
    const tree = join(folder, `${name}.tree`)
    await mkdir(tree)
    await writeFile(join(tree, 'data'), content)
    const at = ['-E', `offset=${root.start * 512},root_owner=0:0`, '-d', tree]
    await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '4096', ...at, disk, `${root.size / 2}k`])
    return disk
  }

  test('becomes larger, and minimal', async () => {
    const disk = await mbr('mbr.raw', 'start=1MiB, size=100MiB, type=82\ntype=83, bootable\n', 1200)
    const larger = await fitted(disk, 'mbr-larger.raw', 2 * GIB)
    expect(larger.after.start + larger.after.length).toBe(2 * GIB)
    expect(larger.fileSystem).toBe(larger.after.length)
    const minimal = await fitted(disk, 'mbr-minimal.raw', 'minimal')
    expect(minimal.bytes).toBeLessThan(800 * MIB)
    expect(minimal.after.start + minimal.after.length).toBe(minimal.bytes)
  })

  test('whose root is not last keeps it as it is, and says so', async () => {
    const disk = await mbr('swap-last.raw', 'start=1MiB, size=900MiB, type=83\ntype=82\n', 1000)
    const larger = await fitted(disk, 'swap-larger.raw', 2 * GIB)
    expect(larger.table.partitions).toEqual((await tableOf(disk)).partitions)
    const minimal = await fitted(disk, 'swap-minimal.raw', 'minimal')
    expect(minimal.bytes).toBe(1000 * MIB)
    expect(minimal.log.lines.join()).toContain('the root is not the last partition')
    await expect(fitted(disk, 'swap-refused.raw', 800 * MIB)).rejects.toMatchObject({ code: 'input' })
  })

  test('whose root comes before an empty extended partition keeps it as it is', async () => {
    const disk = await mbr('extended.raw', 'start=1MiB, size=900MiB, type=83\ntype=f\n', 1000)
    const { table, bytes } = await fitted(disk, 'extended-minimal.raw', 'minimal')
    expect(table.partitions).toEqual((await tableOf(disk)).partitions)
    expect(bytes).toBe(1000 * MIB)
  })
})
