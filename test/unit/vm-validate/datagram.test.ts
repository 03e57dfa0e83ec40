import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, test } from '@jest/globals'
import { sendDatagram } from '../../../actions/vm-validate/datagram.ts'

const sockets: Socket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close()
})

async function listener(answer?: (text: string) => string | undefined): Promise<number> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  socket.on('message', (message, { port }) => {
    const said = answer?.(message.toString())
    if (said !== undefined) socket.send(said, port, '127.0.0.1')
  })
  sockets.push(socket)
  return socket.address().port
}

const host = '127.0.0.1'
const { signal } = new AbortController()

test('what comes back is given, also where the first datagram is lost', async () => {
  let heard = 0
  const port = await listener((text) => (++heard > 1 ? `got ${text}` : undefined))
  expect(await sendDatagram({ host, port, text: 'ping' }, 20_000, signal)).toBe('got ping')
})

test('a port that nobody has refuses, one that says nothing is silent', async () => {
  const port = await listener()
  sockets.pop()!.close()
  expect(await sendDatagram({ host, port, text: 'x' }, 20_000, signal)).toBe('refused')
  expect(await sendDatagram({ host, port: await listener(), text: 'x' }, 100, signal)).toBe('silence')
})

test('aborted, it ends at once with the reason, and nothing is sent to a closed socket afterwards', async () => {
  let heard = 0
  const port = await listener(() => {
    heard++
    return undefined
  })
  const over = new AbortController()
  const asked = sendDatagram({ host, port, text: 'x' }, 60_000, over.signal)
  while (heard === 0) await pause(10)
  over.abort(new Error('its time is over'))
  await expect(asked).rejects.toThrow('its time is over')
  // More than one of the pauses between datagrams: what would be thrown there would be nobody's to catch.
  await pause(1_000)
  expect(heard).toBe(1)
  await expect(sendDatagram({ host, port, text: 'x' }, 60_000, over.signal)).rejects.toThrow('its time')
})
