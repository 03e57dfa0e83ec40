import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Blobs, bodyOf } from './blobs.ts'

interface CacheEntry {
  key: string
  version: string
  blob: string
}

export interface UploadedArtifact {
  name: string
  content: Buffer
  /** `sha256:` and hex, as the client gave it. */
  hash: string
  mimeType: string
}

/** GitHub's cache (v2) and artifact services as their unmodified clients see them: Twirp over plain HTTP. */
export class Services implements AsyncDisposable {
  readonly blobs = new Blobs()
  readonly caches: CacheEntry[] = []
  readonly artifacts: UploadedArtifact[] = []
  /** Methods that answer 400 from now on, e.g. `CacheService/CreateCacheEntry`. */
  readonly broken = new Set<string>()
  /** Every Twirp method that was called, in order. */
  readonly calls: string[] = []
  #pending: Record<string, { name: string; mimeType: string }> = {}
  #server = createServer((request, response) => {
    this.#answer(request, response).catch((error: Error) => response.writeHead(500).end(error.message))
  })
  #url = ''

  static async start(): Promise<Services> {
    const services = new Services()
    services.#server.listen(0, '127.0.0.1')
    await once(services.#server, 'listening')
    services.#url = `http://127.0.0.1:${(services.#server.address() as AddressInfo).port}`
    return services
  }

  /** What the runner gives an action so that it finds the services. */
  get environment(): Record<string, string> {
    return {
      ACTIONS_RESULTS_URL: `${this.#url}/`,
      ACTIONS_RUNTIME_TOKEN: unsignedToken({ scp: 'Actions.Results:run-1:job-1' }),
      ACTIONS_CACHE_SERVICE_V2: '1',
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #answer(request: Parameters<Blobs['answer']>[0], response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, this.#url)
    const method = /^\/twirp\/github\.actions\.results\.api\.v1\.(\w+\/\w+)$/.exec(url.pathname)?.[1]
    if (method === undefined) return await this.blobs.answer(request, response, url)
    this.calls.push(method)
    const asked = JSON.parse((await bodyOf(request)).toString()) as Record<string, unknown>
    if (this.broken.has(method)) return json(response, 400, { code: 'malformed', msg: 'broken on purpose' })
    json(response, 200, this.#call(method, asked))
  }

  /** @see the .proto files of actions/toolkit, packages/{cache,artifact}/src/generated */
  #call(method: string, asked: Record<string, unknown>): unknown {
    switch (method) {
      case 'CacheService/CreateCacheEntry': {
        const { key, version } = asked as unknown as CacheEntry
        if (this.caches.some((entry) => entry.key === key && entry.version === version)) return { ok: false }
        const blob = `/blobs/cache/${this.caches.length}`
        this.caches.push({ key, version, blob })
        return { ok: true, signed_upload_url: `${this.#url}${blob}?sig=signature` }
      }
      case 'CacheService/FinalizeCacheEntryUpload':
        return { ok: true, entry_id: '1' }
      case 'CacheService/GetCacheEntryDownloadURL': {
        const {
          key,
          version,
          restore_keys: others = [],
        } = asked as { key: string; version: string; restore_keys?: string[] }
        const usable = this.caches.filter((entry) => entry.version === version)
        const found =
          usable.find((entry) => entry.key === key) ??
          usable.findLast((entry) => [key, ...others].some((beginning) => entry.key.startsWith(beginning)))
        if (!found) return { ok: false }
        return {
          ok: true,
          matched_key: found.key,
          signed_download_url: `${this.#url}${found.blob}?sig=signature`,
        }
      }
      case 'ArtifactService/CreateArtifact': {
        const { name, mime_type: mimeType } = asked as { name: string; mime_type: string }
        this.#pending[name] = { name, mimeType }
        return {
          ok: true,
          signed_upload_url: `${this.#url}/blobs/artifact/${encodeURIComponent(name)}?sig=signature`,
        }
      }
      case 'ArtifactService/FinalizeArtifact': {
        const { name, hash } = asked as { name: string; hash: string }
        const content = this.blobs.contents.get(`/blobs/artifact/${encodeURIComponent(name)}`)!
        this.artifacts.push({ ...this.#pending[name]!, content, hash })
        return { ok: true, artifact_id: String(this.artifacts.length) }
      }
      default:
        throw new Error(`the emulator does not know ${method}`)
    }
  }
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

/** The clients only decode the token (RFC 7519); nobody checks its signature. */
function unsignedToken(claims: Record<string, string>): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part(claims)}.`
}
