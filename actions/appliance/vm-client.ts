import { connect, type Socket } from 'node:net'
import { ApplianceError } from '../lib/errors/error.ts'
import type { Answer, Request } from '../vm-validate/control.ts'

/** Whether somebody serves a machine at a socket. */
export async function isServed(path: string): Promise<boolean> {
  return await knock(path).then(
    () => true,
    () => false,
  )
}

/** Whether there is a machine, whatever it is doing. Throws ApplianceError `stale` when there is none. */
export async function knock(path: string): Promise<void> {
  ;(await dial(path)).destroy()
}

/**
 * Asks the machine behind a socket.
 *
 * @throws ApplianceError `stale` when there is none; else as the machine's keeper found it
 */
export async function ask(path: string, request: Request): Promise<Record<string, unknown>> {
  const { socket, answer } = await open(path, request)
  socket.destroy()
  return answer
}

/** Connects this program's input and output to a port of the guest; ends when either side does. */
export async function relay(path: string, port: number): Promise<void> {
  const { socket, rest } = await open(path, { do: 'reach', port })
  process.stdout.write(rest)
  process.stdin.pipe(socket).pipe(process.stdout)
  await new Promise<void>((resolve) => socket.once('close', () => resolve()))
}

async function open(
  path: string,
  request: Request,
): Promise<{ socket: Socket; answer: Record<string, unknown>; rest: Buffer }> {
  const socket = await dial(path)
  socket.write(`${JSON.stringify(request)}\n`)
  const heard: Buffer[] = []
  const whole = await new Promise<Buffer>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      heard.push(chunk)
      if (!chunk.includes(10)) return
      socket.off('data', hear)
      socket.pause()
      resolve(Buffer.concat(heard))
    }
    socket.on('data', hear)
    socket.once('close', () => reject(new ApplianceError('no-answer', 'the machine is gone')))
    socket.on('error', () => {})
  })
  const end = whole.indexOf(10)
  const answer = JSON.parse(whole.subarray(0, end).toString('utf8')) as Answer
  if ('ok' in answer) return { socket, answer: answer.ok, rest: whole.subarray(end + 1) }
  socket.destroy()
  throw new ApplianceError(answer.error.code as ApplianceError['code'], answer.error.message)
}

function dial(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('connect', () => resolve(socket))
    socket.once('error', (cause) =>
      reject(
        new ApplianceError('stale', 'no machine is running here', {
          hint: 'appliance vm boot starts one.',
          cause,
        }),
      ),
    )
  })
}
