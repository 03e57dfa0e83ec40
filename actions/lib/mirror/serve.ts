import { realpath } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ApplianceError, toApplianceError } from '../errors/error.ts'
import { type Access, countBody } from './serve/access.ts'
import { GitBackend, gitRequest, READ_ONLY } from './serve/git.ts'
import type { Lacking } from './serve/lacking.ts'
import { listing } from './serve/listing.ts'
import { Misses, sourcesOf } from './serve/misses.ts'
import { findIn, namesIn } from './serve/path.ts'
import { sendFile } from './serve/static.ts'

export interface MirrorServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Paths that were asked for and are not there, with how often. */
  readonly missed: ReadonlyMap<string, number>
  /** Those of them that the mirror should have had, each with what would add it. */
  lacking(): Lacking[]
  /** What would add what this path names; undefined where clients merely look. */
  remedy(path: string): string | undefined
}

export interface ServeOptions {
  /** Told of every request when it is over. */
  onAccess?: (access: Access) => void
  /** Told of every request that could not be answered through no fault of the client. */
  onFailure?: (error: Error) => void
}

/**
 * Serves a folder read-only over HTTP/1.1: files (GET, HEAD, ranges, conditions), folders as lists for people, and
 * git repositories to git's clients, by git itself. Nothing outside of the folder can be reached, neither by `..`
 * nor by a link.
 *
 * @param host an address; or, beginning with a `/`, the path of a Unix socket, which needs no port
 * @param port 0 takes a free one
 * @throws ApplianceError `input` where the address is taken or none of ours
 */
export async function serveTree(
  directory: string,
  host: string,
  port: number,
  options: ServeOptions = {},
): Promise<MirrorServer> {
  const root = await realpath(directory)
  const misses = new Misses(await sourcesOf(root))
  const git = new GitBackend(root)
  const server = createServer((request, response) => {
    const { onAccess } = options
    if (onAccess) {
      const body = countBody(response)
      response.once('close', () => onAccess(accessOf(request, response, body.bytes)))
    }
    answer({ root, misses, git }, request, response).catch((error: Error) => {
      options.onFailure?.(toApplianceError(error))
      if (response.headersSent) return response.destroy()
      response.writeHead(500, { 'content-length': 0 }).end()
    })
  })
  server.keepAliveTimeout = 60_000
  await listen(server, host, port)
  const bound = server.address() as AddressInfo | string
  const at = typeof bound === 'string' ? 0 : bound.port
  return {
    url: at === 0 ? `unix:${host}` : `http://${host.includes(':') ? `[${host}]` : host}:${at}`,
    port: at,
    missed: misses.counted,
    lacking: () => misses.lacking(),
    remedy: (path) => misses.remedy(path),
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await Promise.all([closed, git[Symbol.asyncDispose]()])
    },
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = notListening[error.code ?? '']
      reject(
        why === undefined
          ? error
          : new ApplianceError('input', `cannot listen at ${host}:${port}: ${why}`, {
              hint: 'Name another address: --address 127.0.0.1:8081',
              cause: error,
            }),
      )
    })
    if (host.startsWith('/')) server.listen(host, () => resolve())
    else server.listen(port, host, () => resolve())
  })
}

const notListening: Record<string, string> = {
  EADDRINUSE: 'another program listens there',
  EACCES: 'this user may not',
  EADDRNOTAVAIL: 'this computer has no such address',
  ENOTFOUND: 'there is no such host',
}

interface Served {
  root: string
  misses: Misses
  git: GitBackend
}

async function answer(
  { root, misses, git }: Served,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const target = request.url ?? '/'
  const method = request.method ?? 'GET'
  const names = namesIn(target)
  const asked = names && gitRequest(method, names, target)
  if (asked === 'refused')
    return void response.writeHead(403, { 'content-type': 'text/plain' }).end(READ_ONLY)
  if (asked && (await git.answer(asked, request, response))) return
  if (method !== 'GET' && method !== 'HEAD')
    return void response.writeHead(405, { allow: 'GET, HEAD', 'content-length': 0 }).end()

  const found = names && (await findIn(root, names))
  const slash = /^[^?]*\/(\?|$)/.test(target)
  if (found?.kind === 'file' && !slash) return await sendFile(root, names!, found.path, request, response)
  if (found?.kind === 'folder' && !slash) {
    const location = `${names!.map((name) => `/${encodeURIComponent(name)}`).join('')}/`
    return void response.writeHead(301, { location, 'content-length': 0 }).end()
  }
  if (found?.kind === 'folder') {
    const html = Buffer.from(await listing(found.path, names!))
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-length': html.length })
    return void response.end(method === 'HEAD' ? undefined : html)
  }
  // With HEAD clients look whether there is something that they can do without.
  if (method === 'GET') misses.add(target)
  response.writeHead(404, { 'content-length': 0 }).end()
}

function accessOf(request: IncomingMessage, response: ServerResponse, bytes: number): Access {
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    status: response.headersSent ? response.statusCode : 0,
    bytes,
    whole: response.writableFinished,
  }
}
