import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import type { Kickstart, RecipeFile } from '../../lib/definition/recipe-types.ts'
import type { Log } from '../../lib/log/log.ts'

/** Answer files over HTTP, for as long as the machine runs: VeeWee closed after one fetch, and some installers make two. */
export interface Answers extends AsyncDisposable {
  readonly port: number
  /** Those that nobody has fetched so far. */
  unfetched(): string[]
}

/**
 * Serves a definition's answer files by the names under which VeeWee did.
 *
 * @param folder the definition's
 * @param host our address as the machine sees it
 */
export async function serveAnswers(
  kickstart: Kickstart,
  folder: string,
  host: string,
  log: Log,
): Promise<Answers> {
  const files = new Map(kickstart.files.map((file) => [`/${file.name}`, file]))
  const fetched = new Set<string>()
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const path = decoded((request.url ?? '/').split('?')[0]!)
    const file = files.get(path)
    const from = request.socket.remoteAddress ?? '?'
    if (!file) {
      log.warn(
        `answers: ${from} asked for ${path}, which the definition does not serve; there is ${[...files.keys()].join(', ')}`,
      )
      response.writeHead(404, { 'content-length': 0 }).end()
      return
    }
    const body = await contentOf(file, folder)
    log.info(`answers: ${from} fetched ${path}, ${body.length} bytes`)
    fetched.add(file.name)
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => {
      log.warn(`answers: ${error.message}`)
      response.writeHead(500, { 'content-length': 0 }).end()
    })
  })
  await listen(server, host, kickstart.port).catch(() => {
    log.warn(`answers: port ${kickstart.port} is taken; another one is used, and %PORT% is it`)
    return listen(server, host, 0)
  })
  const { port } = server.address() as AddressInfo
  return {
    port,
    unfetched: () => [...files.values()].map(({ name }) => name).filter((name) => !fetched.has(name)),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

/** A file of the definition as the machine gets it: a template as it was rendered. */
export async function contentOf({ path, text }: RecipeFile, folder: string): Promise<Buffer> {
  return text === undefined ? await readFile(resolve(folder, path)) : Buffer.from(text)
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((done, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      done()
    })
  })
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
