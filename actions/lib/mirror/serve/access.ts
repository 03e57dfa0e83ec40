import type { ServerResponse } from 'node:http'

/** A request that was answered, or given up. */
export interface Access {
  method: string
  /** As it was asked for: percent-encoded, with its query. */
  path: string
  status: number
  /** Of the body that was sent. */
  bytes: number
  /** False when the client went away before the end. */
  whole: boolean
}

/** Counts from now on what is written of a response's body. */
export function countBody(response: ServerResponse): { readonly bytes: number } {
  const counted = { bytes: 0 }
  const count = (chunk: unknown, encoding: unknown) => {
    if (response.req.method === 'HEAD') return
    if (typeof chunk === 'string')
      counted.bytes += Buffer.byteLength(chunk, (encoding ?? 'utf8') as BufferEncoding)
    else if (chunk instanceof Uint8Array) counted.bytes += chunk.byteLength
  }
  for (const name of ['write', 'end'] as const) {
    const original = response[name].bind(response) as (...args: unknown[]) => never
    response[name] = (...args: unknown[]) => {
      count(args[0], typeof args[1] === 'string' ? args[1] : undefined)
      return original(...args)
    }
  }
  return counted
}

/** A line of an access log. What a client may have put into the path cannot break it, or colour a terminal. */
export function accessLine({ method, path, status, bytes, whole }: Access): string {
  const plain = path.replace(/[^\x21-\x7e]/g, (character) => encodeURIComponent(character))
  return `${method} ${plain} ${status} ${bytes}${whole ? '' : ' (given up)'}`
}
