import { createHash, randomBytes } from 'node:crypto'
import { cp, mkdir, mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { packQcow2 } from '../../../actions/lib/disk/compressed-qcow2.ts'
import { type DescribedDisk, descriptor } from '../../../actions/lib/ovf/descriptor.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { packOva } from '../../../actions/ova-pack/ova.ts'
import { enlarge, rawSha256 } from '../../../actions/ova-pack/raw-disk.ts'
import { quietLog } from './quiet-log.ts'
import { ROOT, sampleDisk } from './sample-disk.ts'

jest.setTimeout(120_000)

const MIB = 2 ** 20
let folder: string
let disk: string

/** Data in every shape: incompressible, text, grains of zeros between, and 96 MiB of nothing. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ova-pack-'))
  const text = 'All work and no play makes Jack a dull boy.\n'.repeat(40_000)
  disk = await sampleDisk(
    join(folder, 'disk.raw'),
    { '/noise': randomBytes(3 * MIB + 77), '/text': text },
    160,
  )
  const file = await open(disk, 'r+')
  await file.write(Buffer.from('at the very end'), 0, 15, 159 * MIB + 4000)
  await file.close()
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const describe_ = (disk: DescribedDisk) =>
  descriptor({
    name: 'sample',
    version: '1',
    product: { title: 'Sample & Söhne', vendor: 'Example <Ltd>', url: 'https://example.com/?a=1&b=2' },
    annotation: 'Line one\nline two',
    eula: 'Be "nice".\f\n'.repeat(2000),
    properties: [],
    system: 'debian',
    cpus: 1,
    memory: 512 * MIB,
    nic: 'VmxNet3',
    firmware: 'bios',
    disk,
  })

async function pack(into: string, options: { threads?: number; signal?: AbortSignal; disk?: string } = {}) {
  await mkdir(join(folder, into), { recursive: true })
  const path = join(folder, into, 'sample-1.ova')
  const signal = options.signal ?? new AbortController().signal
  const threads = options.threads ? { threads: options.threads } : {}
  const ova = await packOva({
    disk: options.disk ?? disk,
    path,
    describe: describe_,
    log: quietLog(),
    signal,
    ...threads,
  })
  return { path, ova }
}

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}

describe('an OVA', () => {
  let path: string
  let unpacked: string
  beforeAll(async () => {
    path = (await pack('plain')).path
    unpacked = join(folder, 'unpacked')
    await mkdir(unpacked)
    await run('tar', ['-C', unpacked, '-xf', path])
  })

  test('holds descriptor, manifest and disk, in this order, as plain files of root', async () => {
    const { stdout } = await run('tar', ['--utc', '--numeric-owner', '-tvf', path])
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => line.replace(/ +\d+ 2000-01-01 00:00 /, ' '))
    expect(lines).toEqual([
      '-rw-r--r-- 0/0 sample-1.ovf',
      '-rw-r--r-- 0/0 sample-1.mf',
      '-rw-r--r-- 0/0 sample-1-disk1.vmdk',
    ])
    expect((await stat(path)).size % 512).toBe(0)
  })

  test('its manifest is right, says sha256sum', async () => {
    const mf = await readFile(join(unpacked, 'sample-1.mf'), 'utf8')
    const sums = mf.replaceAll(/^SHA256\((.*)\)= ([0-9a-f]{64})$/gm, '$2  $1')
    const { stdout } = await run('sha256sum', ['--strict', '-c'], { cwd: unpacked, input: sums })
    expect(stdout).toBe('sample-1.ovf: OK\nsample-1-disk1.vmdk: OK\n')
  })

  test('its disk is the disk, and has no faults, says qemu-img', async () => {
    const vmdk = join(unpacked, 'sample-1-disk1.vmdk')
    expect((await run('qemu-img', ['check', '-f', 'vmdk', vmdk])).stdout).toContain('No errors were found')
    await run('qemu-img', ['compare', '-f', 'raw', '-F', 'vmdk', disk, vmdk])
    const { stdout } = await run('qemu-img', ['info', '--output=json', vmdk])
    expect(JSON.parse(stdout)).toMatchObject({
      'virtual-size': 160 * MIB,
      'format-specific': { data: { 'create-type': 'streamOptimized' } },
    })
  })

  test('nothing follows the end of stream: ovftool reads no further, so its digest would differ', async () => {
    const vmdk = await readFile(join(unpacked, 'sample-1-disk1.vmdk'))
    const footer = vmdk.subarray(-1024, -512)
    expect(footer.toString('latin1', 0, 4)).toBe('KDMV')
    expect(vmdk.subarray(-512).every((byte) => byte === 0)).toBe(true)
    expect(vmdk.readUInt32LE(vmdk.length - 3 * 512 + 12)).toBe(3)
  })

  test('its descriptor is well-formed and tells the sizes', async () => {
    const ovf = join(unpacked, 'sample-1.ovf')
    await run('xmllint', ['--noout', '--nonet', ovf])
    const value = async (xpath: string) =>
      (await run('xmllint', ['--xpath', `string(${xpath})`, ovf])).stdout.trim()
    const { size } = await stat(join(unpacked, 'sample-1-disk1.vmdk'))
    expect(await value("//*[local-name()='File']/@*[local-name()='size']")).toBe(String(size))
    expect(await value("//*[local-name()='Disk']/@*[local-name()='capacity']")).toBe('160')
    expect(await value("//*[local-name()='Product']")).toBe('Sample & Söhne')
  })

  test('is the same for any number of threads and every time', async () => {
    const digests = [await sha256(path)]
    for (const [index, threads] of [1, 2, 5].entries())
      digests.push(await sha256((await pack(`again-${index}`, { threads })).path))
    expect(new Set(digests).size).toBe(1)
  })

  test('is the same for a disk whose zeros are written out', async () => {
    const dense = join(folder, 'dense.raw')
    await run('cp', ['--sparse=never', disk, dense])
    expect(await sha256((await pack('dense', { disk: dense })).path)).toBe(await sha256(path))
  })
})

test('an interrupted packing leaves nothing behind', async () => {
  const controller = new AbortController()
  const log = quietLog()
  log.progress = () => ({ add: () => controller.abort(), done() {} })
  await mkdir(join(folder, 'stopped'))
  const order = { disk, path: join(folder, 'stopped', 'sample-1.ova'), describe: describe_, log }
  await expect(packOva({ ...order, signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' })
  expect(await readdir(join(folder, 'stopped'))).toEqual([])
})

test('a disk that cannot be read is an error, not a shorter appliance', async () => {
  await mkdir(join(folder, 'gone'))
  const order = {
    disk: join(folder, 'no-such.raw'),
    path: join(folder, 'gone', 'x.ova'),
    describe: describe_,
  }
  await expect(packOva({ ...order, log: quietLog(), signal: new AbortController().signal })).rejects.toThrow(
    'no-such.raw',
  )
  expect(await readdir(join(folder, 'gone'))).toEqual([])
})

test('a qcow2 is the disk, compressed, and the same every time', async () => {
  const paths = ['one.qcow2', 'two.qcow2'].map((name) => join(folder, name))
  for (const path of paths) await packQcow2(disk, path, new AbortController().signal)
  await run('qemu-img', ['compare', '-f', 'raw', '-F', 'qcow2', disk, paths[0]!])
  expect(await sha256(paths[0]!)).toBe(await sha256(paths[1]!))
  expect((await stat(paths[0]!)).size).toBeLessThan(6 * MIB)
})

test("the raw disk's digest is sha256sum's", async () => {
  const { stdout } = await run('sha256sum', [disk])
  expect(await rawSha256(disk, 160 * MIB, new AbortController().signal)).toBe(stdout.slice(0, 64))
})

describe('a larger disk', () => {
  test('has its backup table at the new end, and the same root', async () => {
    const grown = join(folder, 'grown.raw')
    await cp(disk, grown)
    const before = JSON.parse((await run('sfdisk', ['-J', grown])).stdout).partitiontable
    expect(await enlarge(grown, 300 * MIB)).toBe(300 * MIB)
    const { stdout, stderr } = await run('sfdisk', ['--verify', grown])
    expect(stdout + stderr).toContain('No errors detected')
    const after = JSON.parse((await run('sfdisk', ['-J', grown])).stdout).partitiontable
    expect(after.partitions).toEqual(before.partitions)
    expect(after.lastlba).toBe((300 * MIB) / 512 - 34)
    await run('e2fsck', ['-fn', `${grown}?offset=${ROOT}`])
  })

  test('one of half a MiB more is rounded up', async () => {
    const odd = join(folder, 'odd.raw')
    await cp(disk, odd)
    await run('truncate', ['-s', `${160 * MIB + 512 * 1024}`, odd])
    expect(await enlarge(odd, undefined)).toBe(161 * MIB)
  })

  test('a smaller one is refused', async () => {
    await expect(enlarge(disk, 100 * MIB)).rejects.toMatchObject({ code: 'input' })
    expect((await stat(disk)).size).toBe(160 * MIB)
  })
})
