import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { expect, test } from '@jest/globals'
import { BoundedLog } from '../../../actions/lib/files/bounded-log.ts'

const kept = { beginning: 1000, end: 4000 }

async function written(pieces: Iterable<string>, after: (path: string) => Promise<void>) {
  const folder = await mkdtemp(join(tmpdir(), 'appliance-log-'))
  try {
    const path = join(folder, 'serial.log')
    const log = await BoundedLog.begin(path, kept)
    await pipeline(Readable.from(pieces, { objectMode: false }), log)
    await after(path)
    expect(await readdir(folder)).toEqual(['serial.log'])
    return log.leftOut
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Lines that say which they are: `00000012` and so on. */
function* lines(from: number, to: number): Generator<string> {
  for (let n = from; n < to; n++) yield `${String(n).padStart(8, '0')}\n`
}

test('what fits is there whole', async () => {
  const leftOut = await written(lines(0, 900), async (path) =>
    expect(await readFile(path, 'utf8')).toBe([...lines(0, 900)].join('')),
  )
  expect(leftOut).toBe(0)
})

test('of more, the beginning and the end are kept, and how much is missing is said', async () => {
  let missing: number | undefined
  const leftOut = await written(lines(0, 100_000), async (path) => {
    const text = await readFile(path, 'latin1')
    expect(text.length).toBeLessThan(kept.beginning + 2 * kept.end + 50)
    expect(text.startsWith([...lines(0, 111)].join(''))).toBe(true)
    const end = [...lines(100_000 - 444, 100_000)].join('')
    expect(text.endsWith(end)).toBe(true)
    expect(text).toMatch(/\n\[89\d kB left out here\]\n/)
    missing = 900_000 - text.length + /\n\[.*\]\n/.exec(text)![0].length
  })
  expect(leftOut).toBe(missing)
})

test('what was written is there when it was disposed of', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'appliance-log-'))
  const path = join(folder, 'serial.log')
  const log = await BoundedLog.begin(path)
  for (const line of lines(0, 5000)) log.write(line)
  await log[Symbol.asyncDispose]()
  await log[Symbol.asyncDispose]()
  expect((await stat(path)).size).toBe(45_000)
  await rm(folder, { recursive: true })
})

test('one piece that is larger than all that is kept is shortened, too', async () => {
  const leftOut = await written(['a'.repeat(50_000), 'b'.repeat(50_000), 'end'], async (path) => {
    expect((await stat(path)).size).toBeLessThan(9100)
    expect(await readFile(path, 'latin1')).toMatch(/^a{1000}\n\[.*\]\nb+end$/)
  })
  expect(leftOut).toBeGreaterThan(90_000)
})
