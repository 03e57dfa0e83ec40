import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { textOf } from '../../../actions/lib/files/text.ts'
import { occupy } from '../../../actions/lib/stage/workplace.ts'

const before = process.env.GITHUB_RUN_ID
let folder: string
beforeEach(async () => {
  folder = await mkdtemp('/tmp/appliance-workplace-')
})
afterEach(async () => {
  if (before === undefined) delete process.env.GITHUB_RUN_ID
  else process.env.GITHUB_RUN_ID = before
  await rm(folder, { recursive: true })
})

test.each([
  ['this run', '7', '7\n'],
  ['another run', '8', ''],
  ['no run at all, by hand', undefined, ''],
])('what a release has begun is its own until somebody else works in it: %s', async (_, run, left) => {
  const mark = join(folder, '.release')
  await writeFile(mark, '7\n')
  if (run === undefined) delete process.env.GITHUB_RUN_ID
  else process.env.GITHUB_RUN_ID = run
  await using _held = await occupy(folder)
  expect(await textOf(mark)).toBe(left)
})

test('one works there at a time; whom a crash left is no longer there', async () => {
  {
    await using _held = await occupy(folder)
    await writeFile(join(folder, '.occupied'), '1\n')
    await expect(occupy(folder)).rejects.toMatchObject({ code: 'input' })
  }
  await writeFile(join(folder, '.occupied'), `${2 ** 22 - 1}\n`)
  await using _next = await occupy(folder)
  expect(await readFile(join(folder, '.occupied'), 'utf8')).toBe(`${process.pid}\n`)
})
