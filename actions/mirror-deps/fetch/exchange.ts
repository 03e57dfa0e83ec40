import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Socket } from 'node:net'
import { connections } from './connections.ts'
import type { Patience } from './patience.ts'

/**
 * Sends one GET and waits for the head of the answer: for a connection as long as `patience.connect`, then for the
 * answer as long as `patience.stall`. By Node's own client: undici can end the whole process when a server hangs up
 * while nobody is reading (nodejs/undici#5360).
 */
export function exchange(
  url: URL,
  headers: Record<string, string>,
  patience: Patience,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const ask = url.protocol === 'https:' ? requestHttps : requestHttp
    const request = ask(url, { agent: connections(url), headers })
    const fail = (what: string) => request.destroy(new Error(what))
    let timer = setTimeout(() => fail(`no connection within ${patience.connect / 1000} s`), patience.connect)
    const connected = () => {
      clearTimeout(timer)
      timer = setTimeout(() => fail(`no answer within ${patience.stall / 1000} s`), patience.stall)
    }
    const stop = () => request.destroy(signal.reason as Error)
    const settle = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
    }
    signal.addEventListener('abort', stop, { once: true })
    request.once('socket', (socket: Socket) => {
      if (socket.connecting) socket.once('connect', connected)
      else connected()
    })
    request.once('response', (response) => {
      settle()
      // An answer that is given up is no failure of ours.
      response.on('error', () => {})
      resolve(response)
    })
    // What fails after the answer has begun is told by the answer's own stream.
    request.on('error', (error) => {
      settle()
      reject(error)
    })
    request.end()
  })
}

/** The body of an answer; broken off when nothing arrives for `patience.stall` while somebody waits for it. */
export async function* bodyOf(
  response: IncomingMessage,
  patience: Patience,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const stop = () => response.destroy(signal.reason as Error)
  const stall = () => response.destroy(new Error(`nothing arrived for ${patience.stall / 1000} s`))
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  const chunks = response[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
  try {
    for (;;) {
      const timer = setTimeout(stall, patience.stall)
      const { done, value } = await chunks.next().finally(() => clearTimeout(timer))
      if (done) return
      yield value
    }
  } finally {
    signal.removeEventListener('abort', stop)
    response.destroy()
  }
}
