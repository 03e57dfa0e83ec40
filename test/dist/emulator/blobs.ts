import type { IncomingMessage, ServerResponse } from 'node:http'

/** The part of Azure's Blob service that the toolkit's clients use: block blobs, written in one piece or in blocks. */
export class Blobs {
  readonly contents = new Map<string, Buffer>()
  /** How many requests that write are still taken; then each is refused, as when the signature has run out. */
  writes = Number.POSITIVE_INFINITY
  /** How many requests that write lose their connection in the middle. */
  breaking = 0
  readonly #blocks = new Map<string, Map<string, Buffer>>()

  /** @see https://learn.microsoft.com/rest/api/storageservices/put-blob, put-block, put-block-list, get-blob */
  async answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const name = url.pathname
    if (request.method === 'GET' || request.method === 'HEAD') return this.#get(name, request, response)
    if (this.breaking > 0) {
      this.breaking -= 1
      request.once('data', () => request.destroy())
      return
    }
    const body = await bodyOf(request)
    if (this.writes <= 0)
      return void response
        .writeHead(403, { 'x-ms-error-code': 'AuthenticationFailed' })
        .end('<Error><Code>AuthenticationFailed</Code></Error>')
    this.writes -= 1
    if (url.searchParams.get('comp') === 'block') {
      const blocks = this.#blocks.get(name) ?? new Map<string, Buffer>()
      blocks.set(url.searchParams.get('blockid')!, body)
      this.#blocks.set(name, blocks)
    } else if (url.searchParams.get('comp') === 'blocklist') {
      const ids = [...body.toString().matchAll(/<Latest>([^<]*)<\/Latest>/g)].map(([, id]) => id!)
      this.contents.set(name, Buffer.concat(ids.map((id) => this.#blocks.get(name)!.get(id)!)))
      this.#blocks.delete(name)
    } else this.contents.set(name, body)
    response.writeHead(201, { etag: '"1"', 'last-modified': new Date(0).toUTCString() }).end()
  }

  #get(name: string, request: IncomingMessage, response: ServerResponse): void {
    const content = this.contents.get(name)
    if (!content) return void response.writeHead(404).end()
    response.writeHead(200, {
      'content-length': content.length,
      'content-type': 'application/octet-stream',
      'content-disposition': `attachment; filename="${name.split('/').at(-1)}"`,
    })
    response.end(request.method === 'HEAD' ? undefined : content)
  }
}

export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
