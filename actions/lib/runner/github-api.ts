import { createReadStream, createWriteStream } from 'node:fs'
import type { OutgoingHttpHeaders } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { HttpClient } from '@actions/http-client'
import { ApplianceError } from '../errors/error.ts'
import { untilAborted } from './until-aborted.ts'

/** A range of a file: bytes from `start` to before `end`. */
export interface FileRange {
  path: string
  start: number
  end: number
}

/** GitHub's REST API for the repository that this run belongs to. Proxies are taken from the environment. */
export class GithubApi {
  /** owner/name */
  readonly repository: string
  readonly #client = new HttpClient('appliance', [], { allowRetries: true, maxRetries: 3 })
  readonly #token: string
  readonly #url: string
  readonly #signal: AbortSignal | undefined

  /**
   * @param signal ends whatever is under way
   * @throws ApplianceError `input` when there is no token, or this is no workflow
   */
  constructor(
    token: string | undefined,
    { signal, env = process.env }: { signal?: AbortSignal | undefined; env?: NodeJS.ProcessEnv } = {},
  ) {
    if (!token)
      throw new ApplianceError('input', 'input token: there is none, and GitHub answers nobody without', {
        hint: 'Leave the input out (its default is the token of the run), and give the job the permission it needs.',
      })
    if (!env.GITHUB_REPOSITORY)
      throw new ApplianceError('input', 'GITHUB_REPOSITORY is not set: this works in a workflow only')
    this.repository = env.GITHUB_REPOSITORY
    this.#url = env.GITHUB_API_URL ?? 'https://api.github.com'
    this.#token = token
    this.#signal = signal
  }

  /**
   * New ones for each request: when a redirect leads to another host (GitHub's storage does), the client takes the
   * token out of a request's own headers, but never out of those it was made with.
   */
  #headers(more: OutgoingHttpHeaders = {}): OutgoingHttpHeaders {
    return {
      authorization: `Bearer ${this.#token}`,
      accept: 'application/vnd.github+json',
      'x-github-api-version': '2022-11-28',
      ...more,
    }
  }

  /** @param path below `/repos/OWNER/NAME`; undefined when there is no such thing */
  async get<T>(path: string): Promise<T | undefined> {
    return await this.#answer<T>('GET', path)
  }

  async send<T>(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T> {
    const answer = await this.#answer<T>(method, path, body)
    if (answer === undefined) throw this.#refused(method, path, 404, '')
    return answer
  }

  /** Streams a part of a file to an absolute address. */
  async upload<T>(url: string, { path, start, end }: FileRange): Promise<T> {
    const stream = createReadStream(path, { start, end: Math.max(start, end - 1), highWaterMark: 1 << 20 })
    const headers = this.#headers({
      'content-type': 'application/octet-stream',
      'content-length': end - start,
    })
    try {
      const { status, text } = await untilAborted(this.#signal, async () => {
        const response = await this.#client.sendStream('POST', url, stream, headers)
        return { status: response.message.statusCode!, text: await response.readBody() }
      })
      if (status >= 300) throw this.#refused('POST', new URL(url).pathname, status, text)
      return JSON.parse(text) as T
    } catch (cause) {
      if (cause instanceof ApplianceError || this.#signal?.aborted) throw cause
      throw brokeOff(`the upload of ${path} broke off`, cause)
    } finally {
      stream.destroy()
    }
  }

  /** Streams the content of something (an asset of a release) into a file; hashing it is up to the caller. */
  async download(path: string, file: string): Promise<void> {
    const url = `${this.#url}/repos/${this.repository}${path}`
    try {
      await untilAborted(this.#signal, async () => {
        const response = await this.#client.get(url, this.#headers({ accept: 'application/octet-stream' }))
        const status = response.message.statusCode!
        if (status !== 200) throw this.#refused('GET', path, status, await response.readBody())
        await pipeline(response.message, createWriteStream(file))
      })
    } catch (cause) {
      if (cause instanceof ApplianceError || this.#signal?.aborted) throw cause
      throw brokeOff(`the download of ${path} broke off`, cause)
    }
  }

  async #answer<T>(method: string, path: string, body?: unknown): Promise<T | undefined> {
    const url = `${this.#url}/repos/${this.repository}${path}`
    const data = body === undefined ? '' : JSON.stringify(body)
    const headers = this.#headers(body === undefined ? {} : { 'content-type': 'application/json' })
    const { status, text } = await untilAborted(this.#signal, async () => {
      const response = await this.#client.request(method, url, data, headers).catch((cause: Error) => {
        throw brokeOff(`GitHub does not answer (${method} ${path})`, cause)
      })
      return { status: response.message.statusCode!, text: await response.readBody() }
    })
    if (status === 404) return undefined
    if (status >= 300) throw this.#refused(method, path, status, text)
    return (text === '' ? {} : JSON.parse(text)) as T
  }

  #refused(method: string, path: string, status: number, text: string): ApplianceError {
    let said = text.slice(0, 200)
    try {
      said = (JSON.parse(text) as { message: string }).message
    } catch {
      // Not GitHub's API, or not in the mood.
    }
    const forbidden = status === 401 || status === 403 || (status === 404 && method !== 'GET')
    return new ApplianceError(
      'unreachable',
      `GitHub refused ${method} /repos/${this.repository}${path} (${status})${said ? `: ${said}` : ''}`,
      {
        hint: forbidden
          ? 'The token may not do this: give the job the permission (README of the action).'
          : again,
      },
    )
  }
}

const again = 'Run the job again; it goes on where it was.'

function brokeOff(what: string, cause: unknown): ApplianceError {
  return new ApplianceError('unreachable', `${what}: ${(cause as Error).message}`, { hint: again, cause })
}
