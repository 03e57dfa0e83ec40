import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { verifyOva } from '../../../actions/ova-pack/trust/verify.ts'
import { quietLog } from './quiet-log.ts'
import { bootableDisk, lintOf, ovfOf, parts, signedParts, tar, vmdkOf } from './specimen.ts'

let folder: string
let ova: Buffer
let signed: Buffer
/** The last byte that is not padding of the archive's end. */
let last: number

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ova-damage-'))
  const vmdk = await vmdkOf(await bootableDisk(join(folder, 'disk.raw')))
  ova = tar(parts(ovfOf(vmdk), vmdk))
  last = ova.length
  signed = tar(await signedParts(folder, parts(ovfOf(vmdk), vmdk)))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** With nothing but the OVA: no SHA256SUMS beside it, no certificate. */
async function faultsByVerify(bytes: Buffer): Promise<string[]> {
  const path = join(folder, 'verified', 'good.ova')
  await mkdir(join(folder, 'verified'), { recursive: true })
  await writeFile(path, bytes)
  const checks = await verifyOva(path, { log: quietLog(), signal: new AbortController().signal })
  return checks.flatMap(({ fault }) => fault ?? [])
}

describe.each([
  ['lint', lintOf],
  ['verify', faultsByVerify],
] as const)('%s finds', (_, faultsOf) => {
  test('nothing in a good one', async () => {
    expect(await faultsOf(ova)).toEqual([])
  })

  test('any flipped bit', async () => {
    // Headers and manifest are few among many bytes: they are hit as often as the rest.
    const anywhere = fc.nat(last - 1)
    const head = fc.nat(Math.min(ova.indexOf('KDMV') + 2048, last - 1))
    await fc.assert(
      fc.asyncProperty(fc.oneof(anywhere, head), fc.nat(7), async (at, bit) => {
        const damaged = Buffer.from(ova)
        damaged[at]! ^= 1 << bit
        expect(await faultsOf(damaged)).not.toEqual([])
      }),
      { numRuns: 200, seed: 8 },
    )
  })

  test('any flipped bit of a signature and its certificate', async () => {
    const begin = signed.indexOf('SHA256(good.mf)')
    const end = signed.indexOf('-----END CERTIFICATE-----\n') + 26
    expect(await faultsOf(signed)).toEqual([])
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: begin, max: end - 1 }), fc.nat(7), async (at, bit) => {
        const damaged = Buffer.from(signed)
        damaged[at]! ^= 1 << bit
        expect(await faultsOf(damaged)).not.toEqual([])
      }),
      { numRuns: 300, seed: 8 },
    )
  })

  test('any truncation', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(last - 1), async (length) => {
        expect(await faultsOf(ova.subarray(0, length))).not.toEqual([])
      }),
      { numRuns: 100, seed: 8 },
    )
  })
})

test('whatever was done to it, an OVA is read to an end, in bounded time and memory', async () => {
  const splice = fc.record({ at: fc.nat(last - 1), bytes: fc.uint8Array({ minLength: 1, maxLength: 600 }) })
  const began = performance.now()
  await fc.assert(
    fc.asyncProperty(fc.array(splice, { minLength: 1, maxLength: 8 }), async (splices) => {
      const damaged = Buffer.from(ova)
      for (const { at, bytes } of splices) damaged.set(bytes.subarray(0, last - at), at)
      // A manifest that fits would hide nothing: rules go on past a wrong digest anyway.
      await lintOf(damaged)
      await faultsByVerify(damaged)
    }),
    { numRuns: 100, seed: 8 },
  )
  expect(performance.now() - began).toBeLessThan(300_000)
  expect(process.memoryUsage().rss).toBeLessThan(1e9)
})

test('numbers that ask for all memory are refused: sizes, capacities, grains, tables', async () => {
  const huge = [0xffff_ffff_ffff_fff0n, 1n << 62n, 1n << 40n, 0n]
  const vmdkAt = ova.indexOf('KDMV')
  for (const value of huge)
    for (const field of [12, 20, 28, 36, 56, 64]) {
      const damaged = Buffer.from(ova)
      damaged.writeBigUInt64LE(value, vmdkAt + field)
      expect(await lintOf(damaged)).not.toEqual([])
      expect(await faultsByVerify(damaged)).not.toEqual([])
    }
  expect(process.memoryUsage().rss).toBeLessThan(1e9)
})
