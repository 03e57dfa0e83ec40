import { createSocket } from 'node:dgram'
import { ApplianceError } from '../lib/errors/error.ts'

/** Milliseconds until a datagram is sent again. */
const AGAIN = 300

/**
 * Sends a datagram, again and again, until something comes back or `patience` ms are over.
 *
 * @returns `refused`, `silence`, or the text that came back
 * @throws the signal's reason; ApplianceError `no-answer` where the network itself fails
 */
export async function sendDatagram(
  { host, port, text }: { host: string; port: number; text: string },
  patience: number,
  signal: AbortSignal,
): Promise<'refused' | 'silence' | (string & {})> {
  signal.throwIfAborted()
  return await new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    let over = false
    const end = (settle: () => void) => {
      if (over) return
      over = true
      clearTimeout(timer)
      clearInterval(again)
      signal.removeEventListener('abort', stop)
      socket.close()
      settle()
    }
    const stop = () => end(() => reject(signal.reason))
    const failed = (error: NodeJS.ErrnoException) =>
      end(() =>
        error.code === 'ECONNREFUSED'
          ? resolve('refused')
          : reject(
              new ApplianceError('no-answer', `the machine cannot be reached: ${error.message}`, {
                cause: error,
              }),
            ),
      )
    const timer = setTimeout(() => end(() => resolve('silence')), patience)
    let connected = false
    // The refusal of one datagram is told with the next.
    const again = setInterval(() => connected && socket.send(text), AGAIN)
    signal.addEventListener('abort', stop, { once: true })
    socket.on('message', (message) => end(() => resolve(message.toString('utf8'))))
    socket.on('error', failed)
    socket.connect(port, host, (...error: unknown[]) => {
      if (over) return
      if (error[0]) return failed(error[0] as NodeJS.ErrnoException)
      connected = true
      socket.send(text)
    })
  })
}
