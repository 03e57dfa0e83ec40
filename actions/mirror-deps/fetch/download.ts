import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, link, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ApplianceError } from '../../lib/errors/error.ts'
import { sha256File } from '../../lib/files/digest.ts'

/** What is to be downloaded, and how one knows that it is that. */
export interface Wanted {
  /** For messages: `deb nginx-light 1.22.1-9 of debian`. */
  title: string
  /** Tried in order. */
  urls: readonly string[]
  /** Expected; undefined only while locking. */
  sha256?: string
  size?: number
  /** How often each address is tried; 4 unless said otherwise. */
  tries?: number
}

export interface Downloaded {
  sha256: string
  size: number
}

const TRIES = 4
/** A connection on which nothing arrives for this long is broken (milliseconds). */
const STALLED = 60_000

class HttpStatus extends Error {
  readonly status: number
  constructor(status: number) {
    super(`HTTP ${status}`)
    this.status = status
  }
}

/**
 * Downloads to `path`, which appears only whole and right: streamed into a partial file beside it, hashed on the
 * way, renamed.
 *
 * @throws ApplianceError `gone` (every address says 404 or 410), `unreachable`, `digest-mismatch`, `disk-full`
 */
export async function download(
  wanted: Wanted,
  path: string,
  options: { signal: AbortSignal; onBytes?: (bytes: number) => void },
): Promise<Downloaded> {
  await mkdir(dirname(path), { recursive: true })
  const failures: Failure[] = []
  for (const url of wanted.urls) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await once(wanted, url, path, options)
      } catch (thrown) {
        options.signal.throwIfAborted()
        const error = thrown as Error
        if (isOurs(error)) throw local(error, wanted, path)
        if (error instanceof ApplianceError && wanted.urls.length === 1) throw error
        if (!worthAnotherTry(error) || attempt >= (wanted.tries ?? TRIES)) {
          failures.push({ url, error, tries: attempt })
          break
        }
        await pause(500 * 2 ** attempt * (0.75 + randomBytes(1)[0]! / 512), undefined, {
          signal: options.signal,
        })
      }
    }
  }
  throw verdict(wanted, failures)
}

/** A failure of this computer's files, not of the network: trying again would not help. */
function isOurs(error: Error): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  return ['ENOSPC', 'EDQUOT', 'EACCES', 'EROFS', 'EPERM', 'EFBIG', 'EIO'].includes(code)
}

function local(error: Error, { title }: Wanted, path: string): Error {
  const code = (error as NodeJS.ErrnoException).code
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error
  return new ApplianceError('disk-full', `no space left on the disk for ${title} in ${dirname(path)}`, {
    hint: 'Free some space (appliance gc names what may go) and run the same command again; it continues.',
    cause: error,
  })
}

interface Failure {
  url: string
  error: Error
  tries: number
}

function verdict({ title }: Wanted, failures: Failure[]): ApplianceError {
  const mismatch = failures.find(({ error }) => error instanceof ApplianceError)
  if (mismatch) return mismatch.error as ApplianceError
  const dropped = failures.filter(({ error }) => isMissing(error))
  const others = failures.filter(({ error }) => !isMissing(error))
  const said = others.map(
    ({ url, error, tries }) => `${url} could not be fetched (${reason(error)}; tried ${tries} times)`,
  )
  // Upstream itself says so; that its snapshots do not answer either leaves nowhere to go.
  if (isMissing(failures[0]!.error)) {
    const places = dropped.map(({ url }) => url).join(' and ')
    return new ApplianceError('gone', [`${title} is no longer at ${places}`, ...said].join('; '), {
      hint: 'Upstream dropped it. Take the mirror from a cache or an archive, or lock again: appliance lock --update',
    })
  }
  return new ApplianceError('unreachable', `${title}: ${said.join('; ')}`, {
    hint: 'Is the address right, and the network up? The next run continues where this one stopped.',
    cause: others.at(-1)!.error,
  })
}

function isMissing(error: Error): boolean {
  return error instanceof HttpStatus && (error.status === 404 || error.status === 410)
}

/** undici says only `fetch failed`; the reason lies in its cause. */
function reason(error: Error): string {
  const cause = error.cause as Error | undefined
  return cause?.message ? `${error.message}: ${cause.message}` : error.message
}

function worthAnotherTry(error: Error): boolean {
  if (error instanceof ApplianceError) return false
  if (error instanceof HttpStatus) return error.status === 408 || error.status === 429 || error.status >= 500
  return true
}

async function once(
  wanted: Wanted,
  url: string,
  path: string,
  { signal, onBytes }: { signal: AbortSignal; onBytes?: (bytes: number) => void },
): Promise<Downloaded> {
  const partial = `${path}.${randomBytes(4).toString('hex')}.partial`
  const hash = createHash('sha256')
  let size = 0
  let counted = 0
  try {
    const file = await open(partial, 'wx')
    try {
      for await (const chunk of bytesOf(url, signal, (promised) => refuseOther(wanted, url, promised))) {
        hash.update(chunk)
        await file.writeFile(chunk)
        size += chunk.length
        counted += chunk.length
        onBytes?.(chunk.length)
      }
    } finally {
      await file.close()
    }
    const sha256 = hash.digest('hex')
    if (wanted.sha256 !== undefined && sha256 !== wanted.sha256)
      throw mismatch(wanted, url, `sha256 ${wanted.sha256}`, sha256)
    await rename(partial, path)
    return { sha256, size }
  } catch (error) {
    onBytes?.(-counted)
    await rm(partial, { force: true })
    throw error
  }
}

function mismatch({ title }: Wanted, url: string, expected: string, got: string): ApplianceError {
  return new ApplianceError(
    'digest-mismatch',
    `${title}: ${url} gives other bytes than the lock promises: expected ${expected}, got ${got}`,
    {
      hint: 'Nothing of it was kept. If upstream really replaced it, look at it first, then: appliance lock --update',
    },
  )
}

/** A server that promises another length need not be listened to. */
function refuseOther(wanted: Wanted, url: string, promised: number): void {
  if (wanted.sha256 !== undefined && wanted.size !== undefined && promised !== wanted.size)
    throw mismatch(wanted, url, `${wanted.size} bytes with sha256 ${wanted.sha256}`, `${promised} bytes`)
}

async function* bytesOf(
  url: string,
  signal: AbortSignal,
  onLength: (promised: number) => void = () => {},
): AsyncGenerator<Uint8Array> {
  if (url.startsWith('file:')) {
    const path = fileURLToPath(url)
    const there = await stat(path).catch(() => undefined)
    if (!there?.isFile()) throw new HttpStatus(404)
    yield* createReadStream(path, { highWaterMark: 1 << 20, signal }) as AsyncIterable<Uint8Array>
    return
  }
  const stalled = new AbortController()
  const timer = setTimeout(() => stalled.abort(new Error(`nothing arrived for ${STALLED / 1000} s`)), STALLED)
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, stalled.signal]),
      headers: { 'accept-encoding': 'identity' },
    })
    if (!response.ok || !response.body) {
      await response.body?.cancel()
      throw new HttpStatus(response.status)
    }
    // A body that fetch() decompressed has another length than the one on the wire.
    const encoded = response.headers.has('content-encoding')
    const promised = encoded ? null : response.headers.get('content-length')
    if (promised !== null) onLength(Number(promised))
    let received = 0
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      timer.refresh()
      received += chunk.length
      yield chunk
    }
    if (promised !== null && received !== Number(promised))
      throw new Error(`the connection broke after ${received} of ${promised} bytes`)
  } finally {
    clearTimeout(timer)
    stalled.abort()
  }
}

/** A small text (an index), whole. */
export async function downloadText(wanted: Wanted, signal: AbortSignal): Promise<string> {
  const url = wanted.urls[0]!
  for (let attempt = 1; ; attempt++)
    try {
      const chunks: Uint8Array[] = []
      for await (const chunk of bytesOf(url, signal)) chunks.push(chunk)
      return Buffer.concat(chunks).toString()
    } catch (thrown) {
      signal.throwIfAborted()
      const error = thrown as Error
      if (!worthAnotherTry(error) || attempt === TRIES)
        throw verdict(wanted, [{ url, error, tries: attempt }])
      await pause(500 * 2 ** attempt, undefined, { signal })
    }
}

/** Takes a file over from another place on this computer if it has the right bytes: by link, or by copy. */
export async function takeOver(from: string, to: string, sha256: string): Promise<boolean> {
  const there = await stat(from).catch(() => undefined)
  if (!there?.isFile() || (await sha256File(from)) !== sha256) return false
  await mkdir(dirname(to), { recursive: true })
  const partial = `${to}.${randomBytes(4).toString('hex')}.partial`
  try {
    await link(from, partial).catch(() => copyFile(from, partial))
    await rename(partial, to)
  } finally {
    await rm(partial, { force: true })
  }
  return true
}
