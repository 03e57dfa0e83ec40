import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { keepSerial } from '../../../actions/lib/hypervisor/vagrant/serial.ts'

test('what a console says last is kept, however soon it ends after it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'serial-'))
  const [pipe, log] = [join(folder, 'pipe'), join(folder, 'serial.log')]
  const lost: string[] = []
  const line = (n: number) => `${String(n).padStart(7, '0')}\n`
  const said: string[] = []
  const serial = await keepSerial(pipe, log, (why) => lost.push(why))
  const fd = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK)
  const say = (lines: number) => {
    const text = Array.from({ length: lines }, (_, n) => line(said.length + n))
    said.push(...text)
    writeSync(fd, text.join(''))
  }
  try {
    say(3000)
    await setImmediate()
    // Of these some are read already, and some are in the pipe.
    say(2000)
    await setImmediate()
    say(5000)
  } finally {
    closeSync(fd)
    await serial[Symbol.asyncDispose]()
  }
  expect(await readFile(log, 'latin1')).toBe(said.join(''))
  expect([serial.leftOut, lost]).toEqual([0, []])
  await rm(folder, { recursive: true })
})
