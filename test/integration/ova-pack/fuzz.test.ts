import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { memoryBytes } from '../../../actions/lib/files/bytes.ts'
import { lintBoot } from '../../../actions/ova-pack/lint/boot.ts'
import { lintSystem } from '../../../actions/ova-pack/lint/system.ts'
import { packagesCheck } from '../../../actions/ova-pack/trust/packages-check.ts'
import { bootableDisk, lintOf, ovfOf, parts, tar, vmdkOf } from './specimen.ts'

/**
 * What damage.test.ts does not reach, since digests and inflate stop it before: what is wrong in itself and well wrapped.
 * FUZZ_RUNS and FUZZ_SEED make a campaign of it.
 */
const RUNS = Number(process.env.FUZZ_RUNS ?? 150)
const seed = Number(process.env.FUZZ_SEED ?? 8)
const { signal } = new AbortController()

let folder: string
let vmdk: Buffer
let disk: Buffer
/** Sectors of the disk with anything but a long text in them: tables, loaders, the file system's own. */
let told: number[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ova-fuzz-'))
  const path = await bootableDisk(join(folder, 'disk.raw'))
  vmdk = await vmdkOf(path)
  disk = await readFile(path)
  told = Array.from({ length: disk.length / 512 }, (_, index) => index).filter((sector) => {
    const bytes = disk.subarray(sector * 512, sector * 512 + 512)
    return bytes.some((byte) => byte !== 0) && !bytes.includes('no play makes Jack')
  })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Longest that one of them may take, on a busy computer. */
const LONGEST = 20_000

async function inTime(work: () => Promise<unknown>): Promise<void> {
  const began = performance.now()
  await work()
  expect(performance.now() - began).toBeLessThan(LONGEST)
}

const words = fc.constantFrom(
  ...[
    '',
    '-1',
    '0',
    '1e999',
    'NaN',
    '99999999999999999999999999',
    'byte * 2^9999',
    '../x',
    '&#0;',
    '&no;',
    '\u{1f600}',
  ],
  ...[
    'ovf:/disk/',
    'x'.repeat(100_000),
    '<![CDATA[',
    '<!--',
    '<a>'.repeat(5000),
    '<!DOCTYPE x [<!ENTITY no "x">]>',
  ],
)

test('a descriptor with anything in the place of anything is read to an end', async () => {
  const tokens = ovfOf(vmdk).split(/(<[^>]*>|"[^"]*")/)
  const change = fc.record({
    at: fc.nat(tokens.length - 1),
    to: fc.oneof(
      words,
      fc.nat(tokens.length - 1).map((from) => tokens[from]!),
      fc.string(),
    ),
    keep: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
      const changed = [...tokens]
      for (const { at, to, keep } of changes) changed[at] = keep ? changed[at] + to : to
      await inTime(() => lintOf(tar(parts(changed.join(''), vmdk))))
    }),
    { numRuns: RUNS, seed },
  )
})

test('a disk with anything in its tables and file systems is read to an end', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 8 }).map((given) => Buffer.from(given)),
    fc
      .constantFrom('00000000', 'ffffffff', '7fffffff', '00000080', '01000000', 'ffff', '0000')
      .map((hex) => Buffer.from(hex, 'hex')),
  )
  const change = fc.record({ sector: fc.nat(told.length - 1), at: fc.nat(504), bytes })
  const sbom = JSON.stringify({ components: [] })
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
      const changed = Buffer.from(disk)
      for (const { sector, at, bytes } of changes) bytes.copy(changed, told[sector]! * 512 + at)
      await inTime(async () => {
        const stated = { firmware: 'bios', forVirtualBox: false }
        const root = await lintBoot(memoryBytes(changed), 'x.vmdk', stated, () => {})
        if (root) await lintSystem(root, undefined, () => {}, signal)
        await packagesCheck(sbom, memoryBytes(changed), signal)
      })
    }),
    { numRuns: RUNS, seed },
  )
  expect(process.memoryUsage().rss).toBeLessThan(1.5e9)
})
