import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { oneRun } from '../../fixtures/campaign/mirror.ts'
import { scratch } from './folder.ts'

const folder = await scratch()

/** The short form of `script/campaign mirror`; other seeds. */
async function campaign(from: number, count: number, kill: boolean) {
  const numbers = Array.from({ length: count }, (_, index) => from + index)[Symbol.iterator]()
  const found: string[] = []
  const faults = new Set<string>()
  const worker = async () => {
    for (const number of numbers) {
      const { wrong, lost, unfinished, ...outcome } = await oneRun(join(folder, String(number)), number, kill)
      found.push(...[...wrong, ...lost, ...unfinished].map((line) => `seed ${number}: ${line}`))
      for (const fault of outcome.faults.keys()) faults.add(fault)
    }
  }
  await Promise.all(Array.from({ length: 4 }, worker))
  return { found, faults }
}

test('an upstream that fails in random ways gets no wrong byte in, no good one out, and keeps nobody for ever', async () => {
  const { found, faults } = await campaign(1, 40, false)
  expect(found).toEqual([])
  expect(faults.size).toBeGreaterThan(15)
}, 60_000)

test('killed at a random instant, the next run finishes', async () => {
  expect((await campaign(1001, 5, true)).found).toEqual([])
}, 60_000)
