import { rm } from 'node:fs/promises'
import { connect as connectTo, createServer, type Server, type Socket } from 'node:net'
import { toApplianceError } from '../lib/errors/error.ts'
import type { TestMachine } from './test-machine.ts'

/** What may be asked of a machine through its socket: one request a connection, as one line of JSON. */
export type Request =
  | { do: 'status' }
  | { do: 'boot' }
  | { do: 'stop' }
  | { do: 'power_off' }
  | { do: 'power_cut' }
  | { do: 'reboot' }
  | { do: 'snapshot'; name: string }
  | { do: 'rollback'; name?: string }
  | { do: 'screenshot'; path: string }
  | { do: 'run'; command: string; as?: string; env?: Record<string, string>; input?: string }
  /** After the answer, the connection is one to this port of the guest. */
  | { do: 'reach'; port: number }

export type Answer = { ok: Record<string, unknown> } | { error: { code: string; message: string } }

const LONGEST_REQUEST = 64 << 20

/**
 * Lets others on this computer work with a machine: a suite's own helpers, `appliance vm`. Only whoever may open the
 * socket can. Requests are served one at a time, but for connections to its ports.
 *
 * @param path of the socket; at most 107 bytes
 * @param stop called when somebody asks for the end
 */
export async function serveMachine(
  path: string,
  test: TestMachine,
  stop: () => void,
  signal: AbortSignal,
): Promise<AsyncDisposable> {
  await rm(path, { force: true })
  const sockets = new Set<Socket>()
  let last: Promise<unknown> = Promise.resolve()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy())
    let heard = ''
    const hear = (chunk: Buffer) => {
      heard += chunk.toString('latin1')
      const end = heard.indexOf('\n')
      if (end < 0) {
        if (heard.length > LONGEST_REQUEST) socket.destroy()
        return
      }
      socket.off('data', hear)
      socket.pause()
      const rest = Buffer.from(heard.slice(end + 1), 'latin1')
      void answer(Buffer.from(heard.slice(0, end), 'latin1').toString('utf8'), socket, rest)
    }
    socket.on('data', hear)
  })
  const answer = async (line: string, socket: Socket, rest: Buffer) => {
    const say = (words: Answer) => `${JSON.stringify(words)}\n`
    try {
      const request = JSON.parse(line) as Request
      if (request.do === 'reach') {
        const { host, port } = await test.machine!.reach(request.port)
        const inner = connectTo({ host, port })
        inner.on('error', () => socket.destroy()).on('close', () => socket.destroy())
        inner.once('connect', () => {
          socket.write(say({ ok: {} }))
          if (rest.length > 0) inner.write(rest)
          socket.on('close', () => inner.destroy())
          socket.pipe(inner).pipe(socket)
        })
        return
      }
      const turn = last.then(() => serve(request, test, signal))
      last = turn.catch(() => {})
      const ok = await turn
      socket.end(say({ ok }))
      if (request.do === 'stop') stop()
    } catch (thrown) {
      const { code, message } = toApplianceError(thrown)
      socket.end(say({ error: { code, message } }))
    }
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      await rm(path, { force: true })
    },
  }
}

async function serve(
  request: Exclude<Request, { do: 'reach' }>,
  test: TestMachine,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  if (request.do !== 'status' && request.do !== 'screenshot') test.touch()
  const began = performance.now()
  switch (request.do) {
    case 'status':
      return { running: test.running, address: await test.machine?.address(signal).catch(() => undefined) }
    case 'boot':
      await test.on(signal)
      break
    case 'power_off':
      await test.off('asked', signal)
      break
    case 'power_cut':
      await test.off('cut', signal)
      break
    case 'reboot':
      await test.reboot(signal)
      break
    case 'snapshot':
      await test.remember(request.name, signal)
      break
    case 'rollback':
      if (request.name === undefined) await test.rewind(signal)
      else await test.goBack(request.name, signal)
      break
    case 'screenshot':
      await test.machine?.screenshot(request.path)
      break
    case 'run': {
      const { command, as, env, input } = request
      const result = await test.guest.run(command, {
        signal,
        allowFailure: true,
        ...(as === undefined ? {} : { as }),
        ...(env === undefined ? {} : { env }),
        ...(input === undefined ? {} : { input }),
      })
      return { ...result }
    }
    case 'stop':
      break
  }
  return { milliseconds: Math.round(performance.now() - began) }
}
