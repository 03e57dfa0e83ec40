import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { openQmp, QmpLines } from '../../../actions/lib/hypervisor/qemu/qmp.ts'

describe("the monitor's lines", () => {
  test('are whole messages, however the bytes arrive', () => {
    const lines = new QmpLines()
    const text = '{"return": {}, "id": 1}\r\n{"event": "STOP"}\r\n'
    const got = [...text].flatMap((character) => lines.take(character))
    expect(got).toEqual([{ return: {}, id: 1 }, { event: 'STOP' }])
    expect(lines.take('{"event": "RESUME"}\r\n{"ev')).toEqual([{ event: 'RESUME' }])
  })
})

describe('a monitor', () => {
  let folder: string
  let path: string
  let close: () => void

  /** A monitor that answers what `answer` says. */
  async function monitor(
    answer: (asked: { execute: string; id: number }, socket: Socket) => unknown,
  ): Promise<void> {
    const server = createServer((socket) => {
      socket.write(
        '{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 22}}, "capabilities": []}}\r\n',
      )
      socket.setEncoding('utf8').on('data', (text: string) => {
        for (const line of text.trim().split('\n')) {
          const asked = JSON.parse(line)
          const said =
            asked.execute === 'qmp_capabilities' ? { return: {}, id: asked.id } : answer(asked, socket)
          if (said) socket.write(`${JSON.stringify(said)}\r\n`)
        }
      })
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
    close = () => server.close()
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'qmp-'))
    path = join(folder, 'qmp')
  })
  afterEach(async () => {
    close()
    await rm(folder, { recursive: true })
  })

  test('gives each command its own answer, and events to who listens', async () => {
    await monitor(({ execute, id }, socket) => {
      if (execute !== 'second') return undefined
      socket.write(
        `{"event": "RESET"}\r\n{"return": "two", "id": ${id}}\r\n{"return": "one", "id": ${id - 1}}\r\n`,
      )
      return undefined
    })
    const qmp = await openQmp(path)
    const events: string[] = []
    qmp.on(({ event }) => events.push(event))
    expect(await Promise.all([qmp.execute('first'), qmp.execute('second')])).toEqual(['one', 'two'])
    expect(events).toEqual(['RESET'])
    qmp.close()
  })

  test("throws QEMU's own words", async () => {
    await monitor(({ id }) => ({ error: { class: 'GenericError', desc: 'no such disk' }, id }))
    const qmp = await openQmp(path)
    await expect(qmp.execute('eject')).rejects.toThrow('QEMU refused eject: no such disk')
    qmp.close()
  })

  test('fails what is waiting, and all that comes later, when QEMU ends', async () => {
    await monitor((_, socket) => void socket.destroy())
    const qmp = await openQmp(path)
    await expect(qmp.execute('savevm')).rejects.toThrow('QEMU ended during savevm')
    await expect(qmp.execute('loadvm')).rejects.toThrow('QEMU has ended; it cannot loadvm')
  })
})
