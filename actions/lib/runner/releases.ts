import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { ApplianceError } from '../errors/error.ts'
import { sha256File } from '../files/digest.ts'
import type { Log } from '../log/log.ts'
import { formatSize } from '../units/size.ts'
import type { FileRange, GithubApi } from './github-api.ts'

/** GitHub takes assets of less than 2 GiB. */
export const ASSET_LIMIT = 2 ** 31

export interface Asset {
  id: number
  name: string
  size: number
  /** `uploaded` when it is whole; `starter` when an upload broke off. */
  state: string
  /** `sha256:` and hex; services that are old do not tell. */
  digest?: string | null
}

export interface Release {
  id: number
  tag_name: string
  draft: boolean
  html_url: string
  upload_url: string
  assets: Asset[]
}

/** A file, or a part of one, as it is to be among the assets. */
export interface AssetSource {
  name: string
  range: FileRange
  sha256: string
}

/** The releases of one repository. @see https://docs.github.com/rest/releases */
export class Releases {
  readonly #api: GithubApi
  readonly #log: Log

  constructor(api: GithubApi, log: Log) {
    this.#api = api
    this.#log = log
  }

  /** A release by its tag, published or a draft (which only the list shows). */
  async find(tag: string): Promise<Release | undefined> {
    for (let page = 1; ; page += 1) {
      const some = (await this.#api.get<Release[]>(`/releases?per_page=100&page=${page}`)) ?? []
      const found = some.find((release) => release.tag_name === tag)
      if (found || some.length < 100) return found
    }
  }

  /** The newest published release that is no pre-release. */
  async latest(): Promise<Release | undefined> {
    return await this.#api.get<Release>('/releases/latest')
  }

  async createDraft(tag: string, name: string, body: string, prerelease: boolean): Promise<Release> {
    return await this.#api.send<Release>('POST', '/releases', {
      tag_name: tag,
      name,
      body,
      draft: true,
      prerelease,
    })
  }

  /** Puts one file among the assets; one that is there already, whole and the same, stays. Tries three times. */
  async put(release: Release, { name, range, sha256 }: AssetSource, signal: AbortSignal): Promise<void> {
    const size = range.end - range.start
    const url = `${release.upload_url.replace(/\{.*\}$/, '')}?name=${encodeURIComponent(name)}`
    let { assets } = release
    for (let attempt = 1; ; attempt += 1) {
      const there = assets.find((asset) => asset.name === name)
      if (there && isSame(there, size, sha256)) return this.#log.info(`${name} is there already`)
      if (there) await this.#api.send('DELETE', `/releases/assets/${there.id}`)
      this.#log.info(`uploading ${name} (${formatSize(size)})`)
      try {
        await this.#api.upload(url, range)
        return
      } catch (error) {
        if (attempt === 3 || signal.aborted) throw error
        this.#log.warn(`${(error as Error).message}; trying again`)
        await setTimeout(attempt * 1000, undefined, { signal })
        // What broke off is among the assets, and in the way.
        assets = (await this.#api.get<Release>(`/releases/${release.id}`))?.assets ?? []
      }
    }
  }

  /**
   * Holds what GitHub has against what was to be uploaded, by size and digest; where the service tells no digest the
   * asset is downloaded and read.
   *
   * @throws ApplianceError `digest-mismatch` that names everything that is not as it should be
   */
  async verify(release: Release, sources: readonly AssetSource[], scratch: string): Promise<void> {
    const { assets } = (await this.#api.get<Release>(`/releases/${release.id}`)) ?? { assets: [] }
    const wrong: string[] = []
    for (const { name, range, sha256 } of sources) {
      const asset = assets.find((one) => one.name === name)
      const size = range.end - range.start
      if (!asset) wrong.push(`${name} is not there`)
      else if (asset.state !== 'uploaded') wrong.push(`${name} is ${asset.state}`)
      else if (asset.size !== size) wrong.push(`${name} has ${asset.size} bytes instead of ${size}`)
      else if ((await this.#digest(asset, scratch)) !== sha256) wrong.push(`${name} has other bytes`)
    }
    const names = new Set(sources.map(({ name }) => name))
    for (const { name } of assets) if (!names.has(name)) wrong.push(`${name} does not belong to it`)
    if (wrong.length > 0)
      throw new ApplianceError(
        'digest-mismatch',
        `the release's files are not those that were built: ${wrong.join('; ')}`,
        {
          hint: 'It stays a draft. Run the job again: what is wrong is uploaded again.',
        },
      )
  }

  async publish(release: Release): Promise<Release> {
    return await this.#api.send<Release>('PATCH', `/releases/${release.id}`, { draft: false })
  }

  /** Downloads an asset and proves that it is what GitHub says it is. */
  async fetch(asset: Asset, file: string): Promise<void> {
    this.#log.info(`downloading ${asset.name} (${formatSize(asset.size)}) of the last release`)
    await this.#api.download(`/releases/assets/${asset.id}`, file)
    if (asset.digest && `sha256:${await sha256File(file)}` !== asset.digest)
      throw new ApplianceError('digest-mismatch', `${asset.name} of the last release arrived as another file`)
  }

  async removeStrangers(release: Release, names: ReadonlySet<string>): Promise<void> {
    for (const { id, name } of release.assets)
      if (!names.has(name)) await this.#api.send('DELETE', `/releases/assets/${id}`)
  }

  async #digest(asset: Asset, scratch: string): Promise<string> {
    if (asset.digest) return asset.digest.replace(/^sha256:/, '')
    const file = join(scratch, 'asset')
    await this.#api.download(`/releases/assets/${asset.id}`, file)
    return await sha256File(file)
  }
}

function isSame(asset: Asset, size: number, sha256: string): boolean {
  return asset.state === 'uploaded' && asset.size === size && asset.digest === `sha256:${sha256}`
}
