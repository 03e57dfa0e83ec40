import { randomBytes, randomInt } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { sha256 } from '../../lib/files/digest.ts'
import { type Answer, ask } from './answer.ts'
import { Credentials, type Login } from './credentials.ts'
import {
  BodyBroke,
  Broken,
  type Failure,
  HtmlPage,
  HttpStatus,
  localFailure,
  mismatch,
  NoRange,
  type Promiser,
  verdict,
  worthAnotherTry,
} from './faults.ts'
import { makeFolder } from './folder.ts'
import { isPage, saysArchive } from './html.ts'
import { PartialFile } from './partial-file.ts'
import { type Patience, pauseAfter, usual } from './patience.ts'

/** What is to be downloaded, and how one knows that it is that. */
export interface Wanted {
  /** For messages: `deb nginx-light 1.22.1-9 of debian`. */
  title: string
  /** Tried in order. */
  urls: readonly string[]
  /** Expected; undefined only while locking. */
  sha256?: string
  size?: number
  /** Whose promise that is; the lock's unless said otherwise. */
  promiser?: Promiser
  /** How often each address is tried; 4 unless said otherwise. */
  tries?: number
  login?: Login | undefined
  /** Whether it is known to have been there once; false while locking. */
  locked?: boolean
}

export interface Downloaded {
  sha256: string
  size: number
  /** Bytes that came over the network for it. */
  transferred: number
}

export interface DownloadOptions {
  signal: AbortSignal
  /**
   * Told of progress, also of steps back.
   *
   * @param bytes of the file that are here, more than before
   * @param moved how many of them came just now, and were not here from an earlier run
   */
  onBytes?: (bytes: number, moved: number) => void
  /** Where what has arrived stays for the next run, on the file system of `path`; undefined: it does not stay. */
  partials?: string | undefined
  patience?: Partial<Patience> | undefined
  /** Default: those of ~/.netrc. */
  credentials?: Credentials | undefined
}

/** An attempt that brought this much, bytes, is no failed one: a large file may come over a bad line. */
const GOOD_PART = 1 << 20

/** What is smaller is fetched anew sooner than its note is written; bytes. */
const SMALL = 64 << 10

/**
 * Downloads to `path`, which appears only whole and right: streamed into a partial file, hashed on the way, renamed.
 * A broken download goes on where it stopped, in this run and in the next.
 *
 * @param path or, where its name depends on what it turns out to be, what gives it (then with `partials`)
 * @throws ApplianceError `gone` (every address says 404 or 410), `unreachable`, `digest-mismatch`, `disk-full`,
 * `missing-tool` (not writable)
 */
export async function download(
  wanted: Wanted,
  path: string | ((sha256: string) => string),
  options: DownloadOptions,
): Promise<Downloaded> {
  const download = new Download(wanted, path, options)
  try {
    return await download.run()
  } catch (thrown) {
    options.signal.throwIfAborted()
    throw localFailure(thrown as Error, wanted.title, download.folder) ?? thrown
  }
}

class Download {
  private readonly wanted: Wanted
  private readonly path: string | ((sha256: string) => string)
  private readonly options: DownloadOptions
  private readonly patience: Patience
  private readonly credentials: Credentials
  private transferred = 0
  private counted = 0
  /** A file that was put together and was not right is fetched anew, once. */
  private anew = false
  /** Addresses that give whole files only. */
  private readonly whole = new Set<string>()

  constructor(wanted: Wanted, path: string | ((sha256: string) => string), options: DownloadOptions) {
    this.wanted = wanted
    this.path = path
    this.options = options
    const { tries = usual.tries } = wanted
    this.patience = { ...usual, tries, ...options.patience }
    this.credentials = options.credentials ?? new Credentials(process.env, () => {})
  }

  async run(): Promise<Downloaded> {
    const { partials, signal } = this.options
    // Where this may not be written, nothing need be downloaded.
    await makeFolder(this.folder)
    const stays = partials !== undefined
    const name = this.wanted.sha256 ?? sha256(this.wanted.urls[0] ?? '')
    const place = stays
      ? join(partials, `${name}.partial`)
      : join(this.folder, `${name}.${randomBytes(4).toString('hex')}.partial`)
    const partial = await PartialFile.open(place, signal)
    this.count(partial.size, 0)
    try {
      await this.fill(partial)
      const { size } = partial
      const digest = partial.digest()
      await partial.finish(this.pathOf(digest), this.wanted.sha256 !== undefined)
      return { sha256: digest, size, transferred: this.transferred }
    } catch (error) {
      this.count(-this.counted, 0)
      if (stays) await partial.keep()
      else await partial.drop()
      throw error
    }
  }

  /** Where it will lie, as far as that is known before it is there. */
  get folder(): string {
    const { sha256 } = this.wanted
    if (typeof this.path === 'string' || sha256) return dirname(this.pathOf(sha256 ?? ''))
    return this.options.partials ?? tmpdir()
  }

  private pathOf(sha256: string): string {
    return typeof this.path === 'string' ? this.path : this.path(sha256)
  }

  /** Until it is whole and right. */
  private async fill(partial: PartialFile): Promise<void> {
    const { urls, title, sha256, size } = this.wanted
    // Killed between the last byte and the name.
    if (partial.size > 0 && partial.digest() === sha256) return
    if (sha256 !== undefined && partial.size >= (size ?? Number.POSITIVE_INFINITY))
      await this.restart(partial)
    const failures: Failure[] = []
    for (const url of urls) {
      const failure = await this.from(url, partial)
      if (!failure) return
      failures.push(failure)
    }
    throw verdict(title, failures, this.wanted.locked)
  }

  /** Tries one address until it is whole; undefined: it is. */
  private async from(url: string, partial: PartialFile): Promise<Failure | undefined> {
    const { signal } = this.options
    for (let tries = 1, failed = 0; ; tries++) {
      const before = partial.size
      try {
        await this.once(url, partial)
        return undefined
      } catch (thrown) {
        signal.throwIfAborted()
        const error = thrown as Error
        if (localFailure(error, '', '')) throw error
        if (error instanceof NoRange && !this.whole.has(url)) {
          this.whole.add(url)
          continue
        }
        failed = partial.size - before >= GOOD_PART ? 1 : failed + 1
        if (!worthAnotherTry(error) || failed >= this.patience.tries) return { url, error, tries }
        const asked = error instanceof HttpStatus ? error.wait : 0
        await pause(pauseAfter(failed, this.patience, asked, randomInt(1000) / 1000), undefined, { signal })
      }
    }
  }

  private async once(url: string, partial: PartialFile): Promise<void> {
    const { login } = this.wanted
    const { credentials, patience } = this
    const { signal } = this.options
    const from = this.whole.has(url) ? undefined : this.continued(url, partial)
    let answer: Answer
    try {
      answer = await ask(url, { from, login, credentials, patience, signal })
    } catch (error) {
      // What is here is longer than what is there: if the whole arrives, it takes its place.
      if (!(error instanceof HttpStatus && error.status === 416 && from)) throw error
      answer = await ask(url, { login, credentials, patience, signal })
    }
    await this.take(url, answer, partial)
  }

  /** What may be asked for only from here on: what a digest, or the server's own word, will vouch for. */
  private continued(url: string, { size, mark }: PartialFile) {
    if (size === 0) return undefined
    if (mark?.url === url && mark.validator !== undefined) return { offset: size, validator: mark.validator }
    return this.wanted.sha256 === undefined ? undefined : { offset: size }
  }

  private async take(url: string, answer: Answer, partial: PartialFile): Promise<void> {
    const { title, sha256, size, promiser } = this.wanted
    const { total } = answer
    const body = answer.body[Symbol.asyncIterator]()
    try {
      let next = await body.next()
      const page = answer.offset === 0 && isPage(answer.type, next.done ? undefined : next.value)
      if (page && saysArchive(url)) throw new HtmlPage()
      // A server that promises another length need not be listened to.
      if (total !== undefined && sha256 !== undefined && total !== (size ?? total))
        throw mismatch(title, url, `${size} bytes with sha256 ${sha256}`, `${total} bytes`, promiser)
      if (answer.offset === 0 && partial.size > 0) await this.restart(partial)
      const mark = { url, ...(answer.validator ? { validator: answer.validator } : {}) }
      await partial.begin(mark, (total ?? size ?? SMALL) >= SMALL)
      while (!next.done && partial.size <= (size ?? Number.POSITIVE_INFINITY)) {
        await partial.append(next.value)
        this.transferred += next.value.length
        this.count(next.value.length, next.value.length)
        next = await body.next()
      }
      // Where the server says no length, the end of the connection is the end of the file, or not.
      const whole = total ?? size
      if (partial.size < (whole ?? 0)) throw new Broken(partial.size, whole)
    } catch (error) {
      throw error instanceof BodyBroke ? new Broken(partial.size, total ?? size, error) : error
    } finally {
      await body.return?.()
    }
    await this.judge(url, partial)
  }

  private async judge(url: string, partial: PartialFile): Promise<void> {
    const { title, sha256, promiser } = this.wanted
    const got = partial.digest()
    if (sha256 === undefined || got === sha256) return
    const { pieced } = partial
    await this.restart(partial)
    if (!pieced || this.anew) throw mismatch(title, url, `sha256 ${sha256}`, got, promiser)
    this.anew = true
    await this.once(url, partial)
  }

  private async restart(partial: PartialFile): Promise<void> {
    this.count(-partial.size, 0)
    await partial.restart()
  }

  private count(bytes: number, moved: number): void {
    this.counted += bytes
    this.options.onBytes?.(bytes, moved)
  }
}

/** A small text (an index), whole. */
export async function downloadText(
  wanted: Wanted,
  signal: AbortSignal,
  options: Omit<DownloadOptions, 'signal'> = {},
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'appliance-text-'))
  try {
    const path = join(folder, 'text')
    await download(wanted, path, { ...options, signal })
    return await readFile(path, 'utf8')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
