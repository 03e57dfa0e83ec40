import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { BootConsole } from '../../../actions/chef-provision/boot-console.ts'
import { BoundedLog } from '../../../actions/lib/files/bounded-log.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'boot-console-'))
})
afterAll(() => rm(folder, { recursive: true }))

test('what was said before a restart does not count, and what a layer was made with does', async () => {
  const serial = join(folder, 'serial.log')
  const kept = join(folder, 'console')
  const first = await BootConsole.after(serial, undefined)
  expect(await first.text()).toBe('')
  await writeFile(serial, 'host login: READY\n')
  await first.keep(kept)
  await first.restarts()
  expect(await first.text()).toBe('')
  // Says exactly the same again.
  await writeFile(serial, 'host login: READY\nhost login: READY\n')
  expect(await first.text()).toBe('host login: READY\n')

  // The next run's hypervisor begins the log anew.
  await writeFile(serial, 'booted again\n')
  const next = await BootConsole.after(serial, kept)
  expect(await next.text()).toBe('host login: READY\nbooted again\n')
  await next.restarts()
  expect(await next.text()).toBe('')
})

const lines = (word: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${word} ${String(index).padStart(5, '0')}\n`).join('')

test('a log that was shortened since', async () => {
  const path = join(folder, 'bounded.log')
  const log = await BoundedLog.begin(path, { beginning: 2000, end: 10_000 })
  const say = (text: string) => new Promise<void>((done) => log.write(text, () => done()))
  await say(lines('old', 1500))
  const console = await BootConsole.after(path, undefined)
  await console.restarts()
  await say(lines('new', 800))
  expect(log.leftOut).toBeGreaterThan(0)
  expect(await console.text()).toBe(lines('new', 800))
  await say(lines('end', 4000))
  expect(await console.text()).not.toMatch(/old|left out/)
  expect((await console.text()).length).toBeGreaterThanOrEqual(10_000)
  log.end()
  await finished(log)
})
