import { gzipSync } from 'node:zlib'
import { describe, expect, test } from '@jest/globals'
import { run } from '../../../actions/lib/process/command.ts'
import { readInitramfs } from '../../../actions/ova-pack/lint/initramfs.ts'
import { initramfs, largeInitramfs, microcode, modulesIn } from '../../fixtures/initramfs.ts'

async function* pieces(bytes: Buffer, length = 1 << 20) {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}
const judged = (bytes: Buffer, length?: number) =>
  readInitramfs(pieces(bytes, length), new AbortController().signal)
const read = (...modules: string[]) => ({ is: 'read', modules: new Set(modules) })
const damaged = (evidence: string) => ({ is: 'damaged', evidence: expect.stringMatching(evidence) })

async function packed(program: string, ...args: string[]): Promise<Buffer> {
  const child = await run('sh', ['-c', `base64 -d | ${[program, ...args].join(' ')} | base64 -w0`], {
    input: modulesIn('ahci').toString('base64'),
  })
  return Buffer.from(child.stdout, 'base64')
}

describe('reads', () => {
  test.each([
    ['gzip', '-c'],
    ['zstd', '-c'],
    ['xz', '-c', '--check=crc32'],
    ['xz', '-c', '--format=lzma'],
    ['lz4', '-cl'],
    ['bzip2', '-c'],
  ])('one packed by %s %s %s', async (program, ...args) => {
    expect(await judged(Buffer.concat([microcode, await packed(program!, ...args)]))).toEqual(read('ahci'))
  })

  test('one that is not packed', async () => {
    expect(await judged(modulesIn('ahci', 'nvme'))).toEqual(read('ahci', 'nvme'))
  })

  test("one like Ubuntu's: microcode of two makers, modules, and then what is packed", async () => {
    const bytes = Buffer.concat([microcode, microcode, modulesIn('ahci'), gzipSync(modulesIn('nvme'))])
    for (const length of [bytes.length, 512, 7])
      expect(await judged(bytes, length)).toEqual(read('ahci', 'nvme'))
  })

  test('nothing but microcode, where nothing else is there', async () => {
    expect(await judged(microcode)).toEqual(read())
  })
})

describe('is told that it is damaged', () => {
  const large = largeInitramfs('ahci')
  const flipped = Buffer.from(large)
  flipped[large.length >> 1]! ^= 1

  test.each([
    ['one cut short', large.subarray(0, -2000), 'unexpected end of file'],
    ['one of a flipped bit, which only its checksum shows', flipped, 'incorrect data check'],
    ['one not packed, and cut short', modulesIn('ahci').subarray(0, -130), 'it ends within an archive'],
    ['what no kernel unpacks', Buffer.from('a page of a proxy'), 'byte 0 begins nothing .*: 61207061'],
    [
      'the same after microcode',
      Buffer.concat([microcode, Buffer.from('PK3456')]),
      'byte \\d+ begins nothing',
    ],
    ['zeros', Buffer.alloc(4096), 'nothing but zeros'],
    ['something else, packed', gzipSync('a text'), 'what is compressed is no cpio archive'],
    [
      'an archive packed when it was cut short already',
      gzipSync(modulesIn('ahci', 'nvme').subarray(0, -130)),
      'what is compressed ends within an archive',
    ],
  ])('%s', async (_, bytes, evidence) => {
    expect(await judged(bytes)).toEqual(damaged(evidence))
  })

  test('by the program that unpacks it', async () => {
    const bytes = Buffer.concat([microcode, (await packed('zstd', '-c')).subarray(0, -6)])
    expect(await judged(bytes)).toEqual(damaged('^zstd failed \\(1\\): .'))
  })

  test('within an archive that is not packed, with the place', async () => {
    const bytes = modulesIn('ahci', 'nvme')
    const second = bytes.indexOf('070701', 6)
    bytes.fill(0xff, second, second + 6)
    expect(await judged(bytes)).toEqual(damaged(`^at byte ${second} within an archive: ffffffff$`))
  })
})

test('one whose program is not installed is not judged, and the program is named', async () => {
  const bytes = await packed('zstd', '-c')
  const path = process.env.PATH
  process.env.PATH = '/nowhere'
  try {
    expect(await judged(bytes)).toEqual({
      is: 'unread',
      evidence: 'it takes zstd, which is not installed here',
    })
    expect(await judged(initramfs('ahci'))).toEqual(read('ahci'))
  } finally {
    process.env.PATH = path
  }
})

test('any flipped bit is read or told, and ends', async () => {
  const good = initramfs('ahci', 'nvme', 'mptspi')
  for (let at = 0; at < good.length; at += 3) {
    const bytes = Buffer.from(good)
    bytes[at]! ^= 1 << (at % 8)
    expect((await judged(bytes)).is).toMatch(/^(read|damaged|unread)$/)
  }
})
