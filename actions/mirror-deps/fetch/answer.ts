import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { request } from 'undici'
import { abandonProxy, connections } from './connections.ts'
import type { Credentials, Login } from './credentials.ts'
import { BodyBroke, HttpStatus, LocalFile, NoRange, Redirected, reasonOf } from './faults.ts'
import { type Patience, retryAfter } from './patience.ts'

/** What an address answered. */
export interface Answer {
  /** Where in the file the body begins, bytes. */
  offset: number
  /** The whole file's length, bytes, where the server says so. */
  total: number | undefined
  /** Fit for `If-Range`: a strong ETag, or a date old enough to be one (RFC 9110 §8.8). */
  validator: string | undefined
  /** Without its parameters, lower case: `text/html`. */
  type: string
  /** Throws a {@link BodyBroke} when the connection breaks. */
  body: AsyncIterable<Uint8Array>
}

export interface Question {
  /** Bytes that are here already, and what is known of them. Only what follows is asked for. */
  from?: { offset: number; validator?: string } | undefined
  login?: Login | undefined
  credentials: Credentials
  patience: Patience
  signal: AbortSignal
}

const REDIRECTS = 10

/**
 * Asks an address (`http`, `https`, `file`) for a file. Follows redirects, goes through the proxies that the
 * environment names, sends each host its own credentials only.
 *
 * @throws HttpStatus when the answer is no file, NoRange when it is another part than was asked for
 */
export async function ask(address: string, question: Question): Promise<Answer> {
  let url = new URL(address)
  if (url.protocol === 'file:') return await localFile(url, question.signal)
  for (let redirects = 0; redirects <= REDIRECTS; redirects++) {
    const { statusCode, headers, body } = await send(url, question)
    const header = (name: string) => [headers[name]].flat()[0]
    // An answer that is given up is no failure of ours.
    body.on('error', () => {})
    const next = statusCode >= 300 && statusCode < 400 ? header('location') : undefined
    if (next === undefined) {
      if (statusCode === 200 || statusCode === 206) return answerOf(statusCode, header, body, question)
      await body.dump().catch(() => {})
      const wait = retryAfter(header('retry-after'), header('date'), Date.now())
      throw new HttpStatus(statusCode, wait, url.host === new URL(address).host ? undefined : url.host)
    }
    await body.dump().catch(() => {})
    url = redirected(url, next)
  }
  throw new Redirected(`it redirects more than ${REDIRECTS} times`)
}

/** From https one is not led to http: anybody on the way could answer there. */
function redirected(from: URL, to: string): URL {
  if (!URL.canParse(to, from.href)) throw new Redirected('it redirects to something that is no address')
  const url = new URL(to, from)
  const plain = url.protocol === 'http:' && from.protocol === 'http:'
  if (url.protocol === 'https:' || plain) return url
  throw new Redirected(`it redirects to ${url.protocol}//${url.host}, which is not followed`)
}

async function send(url: URL, { from, login, credentials, patience, signal }: Question) {
  const authorization = await credentials.authorization(url, login)
  const bare = new URL(url)
  bare.username = ''
  bare.password = ''
  bare.hash = ''
  const dispatcher = connections(url, patience.connect)
  const late = new AbortController()
  const limit = patience.connect + patience.stall
  // undici's own timers are coarse, and say better what was waited for.
  const given = limit + 1500
  const timer = setTimeout(() => late.abort(new Error(`no answer within ${limit / 1000} s`)), given)
  const either = AbortSignal.any([signal, late.signal])
  const asked = request(bare, {
    dispatcher,
    signal: either,
    headersTimeout: patience.stall,
    bodyTimeout: patience.stall,
    headers: {
      'user-agent': 'appliance',
      accept: '*/*',
      // What is locked is the file, not one of its encodings.
      'accept-encoding': 'identity',
      ...(authorization ? { authorization } : {}),
      ...(from ? { range: `bytes=${from.offset}-` } : {}),
      ...(from?.validator ? { 'if-range': from.validator } : {}),
    },
  })
  try {
    return await unlessAborted(asked, either)
  } catch (error) {
    asked.then(
      ({ body }) => body.on('error', () => {}).destroy(),
      () => {},
    )
    if (either.aborted) abandonProxy(url, patience.connect)
    signal.throwIfAborted()
    throw late.signal.aborted ? late.signal.reason : new Error(reasonOf(error, patience), { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

/** undici does not notice an abort while there is no connection, and tries for ever to get one through a proxy. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

function answerOf(
  status: number,
  header: (name: string) => string | undefined,
  body: AsyncIterable<Uint8Array> & { destroy(): unknown },
  { from, patience, signal }: Question,
): Answer {
  const length = header('content-length')
  const common = {
    validator: validatorOf(header),
    type: (header('content-type') ?? '').split(';')[0]!.trim().toLowerCase(),
    body: explained(body, patience, signal),
  }
  if (status === 200)
    return { offset: 0, total: length === undefined ? undefined : Number(length), ...common }
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header('content-range') ?? '')
  const [offset, last, total] = (range ?? []).slice(1).map(Number)
  // What nobody asked for, or another part than was asked for, is not put together with what is here.
  if (!from || offset !== from.offset || last! < offset || (total && last! >= total)) {
    body.destroy()
    throw new NoRange(header('content-range') ?? 'no range')
  }
  return { offset, total: Number.isNaN(total) ? undefined : total, ...common }
}

/**
 * A date is a strong validator only if the file could not have changed again within its second (RFC 9110 §8.8.2.2).
 */
function validatorOf(header: (name: string) => string | undefined): string | undefined {
  const etag = header('etag')
  if (etag !== undefined && /^"[^"]*"$/.test(etag)) return etag
  const [modified, date] = [header('last-modified'), header('date')]
  const apart = Date.parse(date ?? '') - Date.parse(modified ?? '')
  return apart >= 1000 ? modified : undefined
}

async function* explained(
  body: AsyncIterable<Uint8Array>,
  patience: Patience,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    signal.throwIfAborted()
    throw new BodyBroke(reasonOf(error, patience), { cause: error })
  }
}

async function localFile(url: URL, signal: AbortSignal): Promise<Answer> {
  const path = fileURLToPath(url)
  const there = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') throw new HttpStatus(404)
    throw new LocalFile(`it cannot be read: ${error.code}`)
  })
  if (!there.isFile()) throw new LocalFile('it is no file')
  const stream = createReadStream(path, { highWaterMark: 1 << 20, signal })
  async function* body() {
    try {
      yield* stream as AsyncIterable<Uint8Array>
    } catch (error) {
      signal.throwIfAborted()
      throw new LocalFile(`it cannot be read: ${(error as NodeJS.ErrnoException).code}`)
    }
  }
  return { offset: 0, total: there.size, validator: undefined, type: '', body: body() }
}
