import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import fc from 'fast-check'
import { readArchive } from '../../../actions/lib/files/archive.ts'
import { fileBytes } from '../../../actions/lib/files/bytes.ts'
import { BLOCK, padded, ustarHeader } from '../../../actions/lib/files/ustar.ts'
import { type DescribedDisk, descriptor } from '../../../actions/lib/ovf/descriptor.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { packQcow2 } from '../../../actions/lib/qcow2/file.ts'
import { writeVmdk } from '../../../actions/lib/vmdk/file.ts'
import { packOva } from '../../../actions/ova-pack/ova.ts'
import { rawSha256, toRaw } from '../../../actions/ova-pack/raw-disk.ts'
import { quietLog } from './quiet-log.ts'
import { sampleDisk } from './sample-disk.ts'

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

test('bsdtar unpacks the same as GNU tar', async () => {
  const { path } = await pack('readers')
  for (const tar of ['tar', 'bsdtar']) {
    await mkdir(join(folder, `by-${tar}`))
    await run(tar, ['-xf', path, '-C', join(folder, `by-${tar}`)])
  }
  await run('diff', ['-r', join(folder, 'by-tar'), join(folder, 'by-bsdtar')])
})

test('a member of more than 8 GiB, and what follows it, is found by tar, bsdtar and our own reader', async () => {
  const path = join(folder, 'large.tar')
  const members = { 'large.ovf': 7, 'large-disk1.vmdk': 9 * 2 ** 30 + 3, 'large-disk2.vmdk': 5 }
  {
    await using file = await open(path, 'w')
    let at = 0
    for (const [name, size] of Object.entries(members)) {
      await file.write(ustarHeader(name, size), 0, BLOCK, at)
      at += BLOCK + padded(size)
    }
    await file.truncate(at + 2 * BLOCK)
  }
  // `-rw-r--r-- root/root 7 2000-01-01 …`, and `-rw-r--r--  0 root   root   7 Jan  1  2000 …`
  for (const [tar, column] of [
    ['tar', 2],
    ['bsdtar', 4],
  ] as const) {
    const { stdout } = await run(tar, ['-tvf', path])
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/))
    const sizes = lines.map((words) => [words.at(-1)!, Number(words[column])])
    expect([tar, Object.fromEntries(sizes)]).toEqual([tar, members])
  }
  await using file = await open(path)
  const archive = await readArchive(
    fileBytes(file, 0, (await file.stat()).size),
    new AbortController().signal,
  )
  expect(archive.faults).toEqual([])
  expect(Object.fromEntries(archive.members.map(({ name, size }) => [name, size]))).toEqual(members)
})

test('a chain of overlays is read whole: what each of them changed, and what none did', async () => {
  const { signal } = new AbortController()
  const [base, middle, top] = ['base.qcow2', 'middle.qcow2', 'top.qcow2'].map((name) => join(folder, name))
  const expected = join(folder, 'expected.raw')
  await run('qemu-img', ['convert', '-q', '-O', 'qcow2', disk, base!])
  await run('cp', ['--sparse=always', disk, expected])
  for (const [over, under, at] of [
    [middle!, base!, 20],
    [top!, middle!, 100],
  ] as const) {
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', under, over])
    const write = ['-c', `write -P 0x5a ${at}M 3M`, '-c', `write -z ${at + 10}M 1M`]
    await run('qemu-io', ['-f', 'qcow2', ...write, over])
    await run('qemu-io', ['-f', 'raw', ...write, expected])
  }
  const raw = join(folder, 'from-chain.raw')
  await toRaw(top!, raw, signal)
  await run('cmp', [raw, expected])
})

test('a qcow2 is the disk, compressed, and the same for any number of threads', async () => {
  const paths = ['one.qcow2', 'two.qcow2', 'three.qcow2'].map((name) => join(folder, name))
  const { signal } = new AbortController()
  for (const [index, path] of paths.entries()) await packQcow2(disk, path, { signal, threads: index + 1 })
  await run('qemu-img', ['compare', '-f', 'raw', '-F', 'qcow2', disk, paths[0]!])
  expect(new Set(await Promise.all(paths.map(sha256))).size).toBe(1)
  expect((await stat(paths[0]!)).size).toBeLessThan(6 * MIB)
})

test('any disk is the same again when qemu-img reads the VMDK and the qcow2 of it, and neither has a fault', async () => {
  const piece = fc.record({
    // Also across the ends of grains, of grain tables (32 MiB) and of L2 tables (512 MiB).
    at: fc.oneof(
      fc.nat(1600 * MIB - 1),
      fc.constantFrom(0, 32 * MIB - 5, 512 * MIB - 70_000, 1024 * MIB, 1600 * MIB - 3),
    ),
    length: fc.nat(300_000),
    kind: fc.constantFrom('noise', 'text', 'zeros'),
  })
  const { signal } = new AbortController()
  const [any, vmdk, qcow2] = ['any.raw', 'any.vmdk', 'any.qcow2'].map((name) => join(folder, name))
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      await rm(any!, { force: true })
      const capacity = 1600 * MIB
      {
        await using file = await open(any!, 'w')
        await file.truncate(capacity)
        for (const { at, length, kind } of pieces) {
          const bytes = Buffer.alloc(Math.min(length, capacity - at), kind === 'text' ? 'lorem ' : 0)
          await file.write(kind === 'noise' ? randomBytes(bytes.length) : bytes, 0, bytes.length, at)
        }
      }
      await packQcow2(any!, qcow2!, { signal })
      {
        await using file = await open(vmdk!, 'w')
        const order = { disk: any!, capacity, name: 'any.vmdk', log: quietLog(), signal }
        await writeVmdk(order, (bytes) => file.writeFile(bytes))
      }
      for (const [format, path] of [
        ['vmdk', vmdk!],
        ['qcow2', qcow2!],
      ] as const) {
        await run('qemu-img', ['check', '-q', '-f', format, path])
        await run('qemu-img', ['compare', '-q', '-f', 'raw', '-F', format, any!, path])
      }
    }),
    { numRuns: 15, seed: 8 },
  )
})

test("the raw disk's digest is sha256sum's", async () => {
  const { stdout } = await run('sha256sum', [disk])
  expect(await rawSha256(disk, 160 * MIB, new AbortController().signal)).toBe(stdout.slice(0, 64))
})
