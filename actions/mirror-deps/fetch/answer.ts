import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { fileURLToPath } from 'node:url'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { Credentials, Login } from './credentials.ts'
import { bodyOf, exchange } from './exchange.ts'
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
    const answer = await send(url, question)
    const { statusCode: status = 0, headers } = answer
    const header = (name: string) => [headers[name]].flat()[0]
    const next = status >= 300 && status < 400 ? header('location') : undefined
    if (next === undefined) {
      if (status === 200 || status === 206) return answerOf(status, header, answer, question)
      giveUp(answer)
      const wait = retryAfter(header('retry-after'), header('date'), Date.now())
      throw new HttpStatus(status, wait, url.host === new URL(address).host ? undefined : url.host)
    }
    giveUp(answer)
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
  signal.throwIfAborted()
  const headers = {
    'user-agent': 'appliance',
    accept: '*/*',
    // What is locked is the file, not one of its encodings.
    'accept-encoding': 'identity',
    ...(authorization ? { authorization } : {}),
    ...(from ? { range: `bytes=${from.offset}-` } : {}),
    ...(from?.validator ? { 'if-range': from.validator } : {}),
  }
  try {
    return await exchange(bare, headers, patience, signal)
  } catch (error) {
    signal.throwIfAborted()
    throw error instanceof ApplianceError ? error : new Error(reasonOf(error), { cause: error })
  }
}

function answerOf(
  status: number,
  header: (name: string) => string | undefined,
  body: IncomingMessage,
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
  body: IncomingMessage,
  patience: Patience,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* bodyOf(body, patience, signal)
  } catch (error) {
    signal.throwIfAborted()
    throw new BodyBroke(reasonOf(error), { cause: error })
  }
}

/** A page of a few lines is read, so that its connection can serve again; anything longer is not waited for. */
function giveUp(answer: IncomingMessage): void {
  const length = Number(answer.headers['content-length'] ?? Number.POSITIVE_INFINITY)
  if (length <= 65_536) answer.resume()
  else answer.destroy()
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
