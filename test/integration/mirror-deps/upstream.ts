import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How an upstream answers one request. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => void

export interface Upstream extends AsyncDisposable {
  readonly url: string
  /** Paths asked for, in order. */
  readonly asked: string[]
}

/** An upstream on the loopback that answers each path as the test says: the n-th request by the n-th answer. */
export async function upstream(answers: Record<string, Answer | Answer[]>): Promise<Upstream> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = request.url!
    const before = asked.filter((one) => one === path).length
    asked.push(path)
    const found = answers[path] ?? missing
    const list = Array.isArray(found) ? found : [found]
    list[Math.min(before, list.length - 1)]!(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export const bytes =
  (body: string | Buffer): Answer =>
  (_, response) =>
    void response.writeHead(200, { 'content-length': Buffer.byteLength(body) }).end(body)

export const status =
  (code: number): Answer =>
  (_, response) =>
    void response.writeHead(code, { 'content-length': 0 }).end()

export const missing = status(404)

/** Promises more than it sends, then hangs up. */
export const breaks =
  (body: string): Answer =>
  (_, response) => {
    response.writeHead(200, { 'content-length': body.length * 2 })
    response.write(body, () => response.destroy())
  }

/** Sends a beginning and then nothing more. */
export const hangs =
  (body: string): Answer =>
  (_, response) => {
    response.writeHead(200, { 'content-length': body.length * 2 })
    response.write(body)
  }
