import { createServer, type Socket } from 'node:net'
import { noSuchName, type Question, questionIn } from './dns-message.ts'

export interface Resolver extends AsyncDisposable {
  /** On our loopback device. */
  readonly port: number
}

/**
 * Answers every question by TCP with "no such name", at once, and tells of it.
 *
 * @see RFC 1035, 4.2.2; RFC 7766
 */
export async function emptyResolver(onQuestion: (question: Question) => void): Promise<Resolver> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let received = Buffer.alloc(0)
    socket.setTimeout(30_000, () => socket.destroy())
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const query = received.subarray(2, 2 + received.readUInt16BE(0))
        received = received.subarray(2 + query.length)
        const question = questionIn(query)
        const answer = noSuchName(query)
        if (!question || !answer) return void socket.destroy()
        onQuestion(question)
        const length = Buffer.alloc(2)
        length.writeUInt16BE(answer.length)
        socket.write(Buffer.concat([length, answer]))
      }
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as { port: number }).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
