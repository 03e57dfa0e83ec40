import type { IncomingMessage, ServerResponse } from 'node:http'
import { sha256 } from '../../../actions/lib/files/digest.ts'
import { bodyOf } from './blobs.ts'
import { Storage } from './storage.ts'

interface Asset {
  id: number
  name: string
  state: 'uploaded' | 'starter'
  content: Buffer
}

interface Release {
  id: number
  tag_name: string
  name: string
  body: string
  draft: boolean
  prerelease: boolean
  assets: Asset[]
}

/** GitHub's limit for one asset; tests lower it. */
const LIMIT = 2 ** 31

/**
 * The part of GitHub's REST API that publishes releases. A published release is immutable, as it is where that is
 * switched on. @see https://docs.github.com/rest/releases
 */
export class ReleasesApi {
  readonly releases: Release[] = []
  /** Every request, as `METHOD path`. */
  readonly calls: string[] = []
  limit = LIMIT
  /** How many uploads from now on break off in the middle. */
  breaking = 0
  /** Of which asset the upload gets no answer, ever; what came of it is there. */
  hangs: (name: string) => boolean = () => false
  /** Names of assets that GitHub stores with other bytes. */
  readonly corrupted = new Set<string>()
  /** Answer without digests, as older servers do. */
  silent = false
  /** What an asset's address redirects to. */
  readonly storage = new Storage()
  #last = 0

  /** @param origin where this server is reached */
  async answer(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    url: URL,
    origin: string,
  ): Promise<void> {
    const { method } = request
    this.calls.push(`${method} ${path}`)
    const send = (status: number, value?: unknown) =>
      void response
        .writeHead(status, { 'content-type': 'application/json' })
        .end(value === undefined ? undefined : JSON.stringify(value))
    const assetId = /^\/releases\/assets\/(\d+)$/.exec(path)?.[1]
    const releaseId = /^\/releases\/(\d+)(\/assets)?$/.exec(path)?.[1]
    const release = this.releases.find(({ id }) => id === Number(releaseId))
    if (method === 'GET' && path === '/releases/latest') {
      const latest = this.releases.findLast(({ draft, prerelease }) => !draft && !prerelease)
      return latest ? send(200, this.#shown(latest, origin)) : send(404, { message: 'Not Found' })
    }
    if (path === '/releases' && method === 'GET') {
      const page = Number(url.searchParams.get('page') ?? 1)
      const all = [...this.releases].reverse().map((one) => this.#shown(one, origin))
      return send(200, all.slice((page - 1) * 100, page * 100))
    }
    if (path === '/releases' && method === 'POST') {
      const asked = JSON.parse((await bodyOf(request)).toString()) as Release
      const made = { ...asked, id: ++this.#last, assets: [] }
      this.releases.push(made)
      return send(201, this.#shown(made, origin))
    }
    if (assetId !== undefined) return await this.#asset(method!, Number(assetId), response, send)
    if (!release) return send(404, { message: 'Not Found' })
    if (method === 'GET') return send(200, this.#shown(release, origin))
    if (method === 'PATCH') {
      Object.assign(release, JSON.parse((await bodyOf(request)).toString()))
      return send(200, this.#shown(release, origin))
    }
    if (method === 'POST' && path.endsWith('/assets'))
      return await this.#upload(request, response, release, url.searchParams.get('name')!, send)
    throw new Error(`the emulator does not know ${method} ${path}`)
  }

  async #upload(
    request: IncomingMessage,
    response: ServerResponse,
    release: Release,
    name: string,
    send: (status: number, value?: unknown) => void,
  ): Promise<void> {
    if (!release.draft) return send(422, { message: 'Cannot upload assets to an immutable release.' })
    if (release.assets.some((asset) => asset.name === name)) return send(422, { message: 'already_exists' })
    if (Number(request.headers['content-length']) >= this.limit)
      return send(422, { message: `size must be less than or equal to ${this.limit}` })
    const asset: Asset = { id: ++this.#last, name, state: 'starter', content: Buffer.alloc(0) }
    release.assets.push(asset)
    if (this.hangs(name)) return
    if (this.breaking > 0) {
      this.breaking -= 1
      response.destroy()
      return
    }
    asset.content = await bodyOf(request)
    asset.state = 'uploaded'
    if (this.corrupted.has(name)) asset.content = Buffer.from(asset.content).fill(0, 0, 1)
    send(201, this.#assetShown(asset))
  }

  async #asset(
    method: string,
    id: number,
    response: ServerResponse,
    send: (status: number, value?: unknown) => void,
  ): Promise<void> {
    const release = this.releases.find(({ assets }) => assets.some((asset) => asset.id === id))
    const asset = release?.assets.find((one) => one.id === id)
    if (!release || !asset) return send(404, { message: 'Not Found' })
    if (method === 'GET')
      return void response.writeHead(302, { location: this.storage.put(asset.content) }).end()
    if (!release.draft) return send(422, { message: 'Cannot delete assets of an immutable release.' })
    release.assets = release.assets.filter((one) => one !== asset)
    return send(204)
  }

  #shown(release: Release, origin: string): unknown {
    return {
      ...release,
      html_url: `https://github.com/someone/product/releases/${release.tag_name}`,
      upload_url: `${origin}/upload/repos/someone/product/releases/${release.id}/assets{?name,label}`,
      assets: release.assets.map((asset) => this.#assetShown(asset)),
    }
  }

  #assetShown({ id, name, state, content }: Asset): unknown {
    return { id, name, state, size: content.length, digest: this.silent ? null : `sha256:${sha256(content)}` }
  }
}
