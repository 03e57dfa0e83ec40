import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { sha256 } from '../../../actions/lib/files/digest.ts'
import { Blobs, bodyOf } from './blobs.ts'
import { ReleasesApi } from './releases.ts'

interface CacheEntry {
  id: number
  key: string
  version: string
  blob: string
  ref: string
}

export interface UploadedArtifact {
  name: string
  content: Buffer
  /** `sha256:` and hex, as the client gave it. */
  hash: string
  mimeType: string
  /** The run it is of, by the token it came with. */
  run: string
  /** Of someone's pull request from a fork. */
  fork?: boolean
  /** The branch its run is of; main, if nothing is said. */
  branch?: string
}

/**
 * GitHub's cache (v2) and artifact services as their unmodified clients see them, Twirp over plain HTTP; and of the
 * REST API, releases and the artifacts of earlier runs.
 */
export class Services implements AsyncDisposable {
  readonly blobs = new Blobs()
  readonly caches: CacheEntry[] = []
  readonly artifacts: UploadedArtifact[] = []
  /** Methods that answer 400 from now on, e.g. `CacheService/CreateCacheEntry`. */
  readonly broken = new Set<string>()
  readonly releases = new ReleasesApi()
  /** Which requests get no answer, ever: a Twirp method, or `GET /actions/artifacts`. */
  hangs: (asked: string) => boolean = () => false
  /** Milliseconds that every Twirp method takes. */
  delay = 0
  /** Artifacts whose content is another one when it is downloaded. */
  readonly lying = new Set<string>()
  /** Every Twirp method that was called, in order. */
  readonly calls: string[] = []
  #lastCache = 0
  readonly #pending: Record<string, { mimeType: string }> = {}
  #server = createServer((request, response) => {
    this.#answer(request, response).catch((error: Error) => response.writeHead(500).end(error.message))
  })
  #url = ''

  /** @param as the address by which clients know it, where that is another: `https://results.test` */
  static async start({ as }: { as?: string } = {}): Promise<Services> {
    const services = new Services()
    services.#server.listen(0, '127.0.0.1')
    await once(services.#server, 'listening')
    await services.releases.storage.start()
    services.#url = as ?? `http://127.0.0.1:${services.port}`
    return services
  }

  /** Of the loopback, where it is. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** What the runner gives an action so that it finds the services. */
  get environment(): Record<string, string> {
    return this.ofRun(1)
  }

  /** The same for another run: its artifacts are its own, the cache is everyone's. */
  ofRun(run: number): Record<string, string> {
    return {
      ACTIONS_RESULTS_URL: `${this.#url}/`,
      ACTIONS_RUNTIME_TOKEN: unsignedToken({ scp: `Actions.Results:run-${run}:job-1` }),
      ACTIONS_CACHE_SERVICE_V2: '1',
    }
  }

  /** GITHUB_API_URL */
  get api(): string {
    return `${this.#url}/api`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
    await this.releases.storage[Symbol.asyncDispose]()
  }

  async #answer(request: Parameters<Blobs['answer']>[0], response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, this.#url)
    const method = /^\/twirp\/github\.actions\.results\.api\.v1\.(\w+\/\w+)$/.exec(url.pathname)?.[1]
    const [, place, path] = /^\/(api|upload)\/repos\/[^/]+\/[^/]+(\/.*)$/.exec(url.pathname) ?? []
    if (this.hangs(method ?? `${request.method} ${path}`)) return
    if (place !== undefined) {
      if (!/^(Bearer|token) ./.test(request.headers.authorization ?? ''))
        return json(response, 401, { message: 'Requires authentication' })
      if (path!.startsWith('/actions/caches'))
        return this.#listedCaches(request.method!, path!, url, response)
      if (path!.startsWith('/actions/artifacts')) return this.#earlier(path!, url, response)
      return await this.releases.answer(request, response, path!, url, this.#url)
    }
    if (method === undefined) return await this.blobs.answer(request, response, url)
    this.calls.push(method)
    if (this.delay > 0) await setTimeout(this.delay)
    const asked = JSON.parse((await bodyOf(request)).toString()) as Record<string, unknown>
    if (this.broken.has(method)) return json(response, 400, { code: 'malformed', msg: 'broken on purpose' })
    json(response, 200, this.#call(method, asked))
  }

  #blob(run: string, name: string): string {
    return `${this.#url}/blobs/artifact/${run}/${encodeURIComponent(name)}?sig=signature`
  }

  #lie(name: string, run: string): void {
    const path = new URL(this.#blob(run, name)).pathname
    const content = this.blobs.contents.get(path)
    if (content && this.lying.has(name)) this.blobs.contents.set(path, Buffer.from(content).fill(7, 0, 1))
  }

  /** @see https://docs.github.com/rest/actions/cache */
  #listedCaches(method: string, path: string, url: URL, response: ServerResponse): void {
    const id = /^\/actions\/caches\/(\d+)$/.exec(path)?.[1]
    if (method === 'DELETE' && id !== undefined) {
      const index = this.caches.findIndex((entry) => entry.id === Number(id))
      if (index >= 0) this.caches.splice(index, 1)
      return void response.writeHead(index < 0 ? 404 : 204).end()
    }
    const [page, size] = ['page', 'per_page'].map((name) => Number(url.searchParams.get(name) ?? 1))
    const all = this.caches.filter(({ key }) => key.startsWith(url.searchParams.get('key') ?? ''))
    const actions_caches = all.slice((page! - 1) * size!, page! * size!).map(({ blob, ...entry }) => ({
      ...entry,
      size_in_bytes: this.blobs.contents.get(blob)?.length ?? 0,
    }))
    json(response, 200, { total_count: all.length, actions_caches })
  }

  /** @see https://docs.github.com/rest/actions/artifacts */
  #earlier(path: string, url: URL, response: ServerResponse): void {
    const id = /^\/actions\/artifacts\/(\d+)\/zip$/.exec(path)?.[1]
    if (id !== undefined) {
      const { name, run } = this.artifacts[Number(id) - 1]!
      this.#lie(name, run)
      return void response.writeHead(302, { location: this.#blob(run, name) }).end()
    }
    const name = url.searchParams.get('name')
    const artifacts = this.artifacts.flatMap((one, index) => {
      const workflow_run = {
        id: Number(one.run.replace('run-', '')),
        repository_id: 1,
        head_repository_id: one.fork ? 2 : 1,
        head_branch: one.branch ?? 'main',
      }
      const digest = `sha256:${sha256(one.content)}`
      return one.name === name ? [{ id: index + 1, name, expired: false, digest, workflow_run }] : []
    })
    json(response, 200, { artifacts: artifacts.reverse() })
  }

  /** @see the .proto files of actions/toolkit, packages/{cache,artifact}/src/generated */
  #call(method: string, asked: Record<string, unknown>): unknown {
    switch (method) {
      case 'CacheService/CreateCacheEntry': {
        const { key, version } = asked as unknown as CacheEntry
        if (this.caches.some((entry) => entry.key === key && entry.version === version)) return { ok: false }
        const blob = `/blobs/cache/${this.#lastCache}`
        this.caches.push({ id: ++this.#lastCache, key, version, blob, ref: 'refs/heads/main' })
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
        // One key after the other, as docs.github.com/actions "Cache key matching" says: itself, else the newest that
        // begins so.
        const found = [key, ...others]
          .map(
            (wanted) =>
              usable.find((entry) => entry.key === wanted) ??
              usable.findLast((entry) => entry.key.startsWith(wanted)),
          )
          .find((entry) => entry !== undefined)
        if (!found) return { ok: false }
        return {
          ok: true,
          matched_key: found.key,
          signed_download_url: `${this.#url}${found.blob}?sig=signature`,
        }
      }
      case 'ArtifactService/CreateArtifact': {
        const { name, mime_type: mimeType, workflow_run_backend_id: run } = asked as Record<string, string>
        if (this.artifacts.some((one) => one.name === name && one.run === run)) return { ok: false }
        this.#pending[`${run}/${name}`] = { mimeType: mimeType! }
        return { ok: true, signed_upload_url: this.#blob(run!, name!) }
      }
      case 'ArtifactService/FinalizeArtifact': {
        const { name, hash, workflow_run_backend_id: run } = asked as Record<string, string>
        const content = this.blobs.contents.get(new URL(this.#blob(run!, name!)).pathname)!
        const { mimeType } = this.#pending[`${run}/${name}`]!
        this.artifacts.push({ name: name!, mimeType, content, hash: hash!, run: run! })
        return { ok: true, artifact_id: String(this.artifacts.length) }
      }
      case 'ArtifactService/ListArtifacts': {
        const {
          name_filter: name,
          id_filter: id,
          workflow_run_backend_id: run,
        } = asked as Record<string, string>
        const artifacts = this.artifacts.flatMap((one, index) =>
          one.run === run &&
          (name ?? one.name) === one.name &&
          (id ?? String(index + 1)) === String(index + 1)
            ? [
                {
                  workflow_run_backend_id: run,
                  workflow_job_run_backend_id: 'job-1',
                  database_id: String(index + 1),
                  name: one.name,
                  size: String(one.content.length),
                  digest: one.hash,
                },
              ]
            : [],
        )
        return { artifacts }
      }
      case 'ArtifactService/DeleteArtifact': {
        const { name, workflow_run_backend_id: run } = asked as Record<string, string>
        const index = this.artifacts.findIndex((one) => one.name === name && one.run === run)
        // Its number stays its own.
        this.artifacts[index]!.name = ''
        return { ok: true, artifact_id: String(index + 1) }
      }
      case 'ArtifactService/GetSignedArtifactURL': {
        const { name, workflow_run_backend_id: run } = asked as Record<string, string>
        this.#lie(name!, run!)
        return { signed_url: this.#blob(run!, name!) }
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
