import { createReadStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, normalize, sep } from 'node:path'

export interface MirrorServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Paths that were asked for and are not there, with how often. */
  readonly missed: ReadonlyMap<string, number>
}

/**
 * Serves a folder read-only over HTTP/1.1: GET, HEAD and single ranges (RFC 9110 §14). Nothing outside of the
 * folder can be reached, neither by `..` nor by a link.
 *
 * @param port 0 takes a free one
 */
export async function serveTree(directory: string, host: string, port: number): Promise<MirrorServer> {
  const root = await realpath(directory)
  const missed = new Map<string, number>()
  const server = createServer((request, response) => {
    answer(root, missed, request, response).catch((error: Error) => {
      if (!response.headersSent) response.writeHead(500)
      response.end(error.message)
    })
  })
  server.keepAliveTimeout = 60_000
  await listen(server, host, port)
  const bound = server.address() as AddressInfo
  return {
    url: `http://${host}:${bound.port}`,
    port: bound.port,
    missed,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve())
  })
}

async function answer(
  root: string,
  missed: Map<string, number>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return void response.writeHead(405, { allow: 'GET, HEAD', 'content-length': 0 }).end()
  const path = await fileAt(root, request.url ?? '/')
  if (!path) {
    const asked = request.url ?? '/'
    missed.set(asked, (missed.get(asked) ?? 0) + 1)
    return void response.writeHead(404, { 'content-length': 0 }).end()
  }
  const { size } = await stat(path)
  const range = rangeOf(request.headers.range, size)
  if (range === 'unsatisfiable')
    return void response.writeHead(416, { 'content-range': `bytes */${size}`, 'content-length': 0 }).end()
  const [first, last] = range ?? [0, size - 1]
  response.writeHead(range ? 206 : 200, {
    'accept-ranges': 'bytes',
    'content-type': path.endsWith('.html') ? 'text/html' : 'application/octet-stream',
    'content-length': last - first + 1,
    ...(range ? { 'content-range': `bytes ${first}-${last}/${size}` } : {}),
  })
  if (request.method === 'HEAD' || size === 0) return void response.end()
  const stream = createReadStream(path, { start: first, end: last })
  stream.on('error', () => response.destroy())
  response.on('close', () => stream.destroy())
  stream.pipe(response)
}

/** The regular file an address names, inside the root and reached without a link. */
async function fileAt(root: string, url: string): Promise<string | undefined> {
  let name: string
  try {
    name = decodeURIComponent(url.split('?')[0]!)
  } catch {
    return undefined
  }
  if (name.includes('\0')) return undefined
  const path = join(root, normalize(`/${name}`))
  const real = await realpath(path).catch(() => undefined)
  if (real !== path || !(real === root || real.startsWith(root + sep))) return undefined
  return (await stat(real)).isFile() ? real : undefined
}

/** `bytes=0-99` → [0, 99]; undefined where the whole is wanted (or several ranges, which we may ignore). */
function rangeOf(header: string | undefined, size: number): [number, number] | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return undefined
  if (match[1] === '')
    return size === 0 || Number(match[2]) === 0
      ? 'unsatisfiable'
      : [Math.max(0, size - Number(match[2])), size - 1]
  const first = Number(match[1])
  const last = match[2] === '' ? size - 1 : Math.min(size - 1, Number(match[2]))
  return first >= size || first > last ? 'unsatisfiable' : [first, last]
}
