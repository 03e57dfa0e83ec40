import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * Where GitHub keeps the assets of releases: another host, whose addresses are signed. A request that brings
 * credentials of its own as well is refused, as Azure's and Amazon's storage do.
 */
export class Storage implements AsyncDisposable {
  /** How many requests brought an `Authorization`. */
  refused = 0
  readonly #contents: Buffer[] = []
  readonly #server = createServer((request, response) => {
    if (request.headers.authorization !== undefined) {
      this.refused += 1
      response.writeHead(400).end('<Error><Code>InvalidAuthenticationInfo</Code></Error>')
      return
    }
    const content = this.#contents[Number(/^\/(\d+)\?sig=/.exec(request.url!)?.[1])]
    response.writeHead(content ? 200 : 403, { 'content-type': 'application/octet-stream' }).end(content)
  })

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  /** @returns the signed address that gives it */
  put(content: Buffer): string {
    const { port } = this.#server.address() as AddressInfo
    // By another name than the API's, 127.0.0.1: to the clients it is another host.
    return `http://localhost:${port}/${this.#contents.push(content) - 1}?sig=signature`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
