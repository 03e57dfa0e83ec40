import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answer } from './upstream.ts'

/** A server that knows ranges and validators (RFC 9110 §13, §14). */
export interface RangeFile {
  answer: Answer
  /** Headers of the requests, in order. */
  readonly asked: IncomingMessage['headers'][]
}

export interface RangeOptions {
  etag?: string
  /** Of each answer in turn: breaks off after so many bytes of its body. */
  breaks?: number[]
}

export function ranges(
  content: Buffer | (() => Buffer),
  { etag, breaks = [] }: RangeOptions = {},
): RangeFile {
  const asked: IncomingMessage['headers'][] = []
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const stops = breaks[asked.length]
    asked.push(request.headers)
    const whole = typeof content === 'function' ? content() : content
    const validator = request.headers['if-range']
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')
    const from = range && (validator === undefined || validator === etag) ? Number(range[1]) : 0
    const headers: Record<string, string | number> = etag === undefined ? {} : { etag }
    if (from >= whole.length)
      return void response.writeHead(416, { 'content-range': `bytes */${whole.length}` }).end()
    const body = whole.subarray(from)
    headers['content-length'] = body.length
    if (from > 0) headers['content-range'] = `bytes ${from}-${whole.length - 1}/${whole.length}`
    response.writeHead(from > 0 ? 206 : 200, headers)
    if (stops === undefined) return void response.end(body)
    response.write(body.subarray(0, stops), () => setTimeout(() => response.destroy(), 60))
  }
  return { answer, asked }
}
