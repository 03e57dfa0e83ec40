import { ApplianceError } from '../../lib/errors/error.ts'

/** The answer is no file. */
export class HttpStatus extends Error {
  readonly status: number
  /** Milliseconds that the server asks to wait. */
  readonly wait: number

  /** @param host that answered, if it is not the one that was asked */
  constructor(status: number, wait = 0, host?: string) {
    super(`HTTP ${status}${host === undefined ? '' : ` from ${host}`}`)
    this.status = status
    this.wait = wait
  }

  get missing(): boolean {
    return this.status === 404 || this.status === 410
  }
}

/** The server gave another part than was asked for: from it only whole files are to be had. */
export class NoRange extends Error {
  constructor(range: string) {
    super(`it gave another part than was asked for (${range})`)
  }
}

/** A body that ended in a failure; why. */
export class BodyBroke extends Error {}

/** A body that ended too early. */
export class Broken extends Error {
  /** @param of bytes that there should have been; undefined: the server did not say */
  constructor(size: number, of: number | undefined, cause?: Error) {
    const why = cause === undefined ? '' : ` (${cause.message})`
    const bytes = of === undefined ? `${size} bytes` : `${size} of ${of} bytes`
    super(`the connection broke after ${bytes}${why}`, cause === undefined ? {} : { cause })
  }
}

/** What it redirects to is not followed. */
export class Redirected extends Error {}

/** A `file:` address that cannot be read. */
export class LocalFile extends Error {}

/** A web page where a file was expected, as a rule one to log in at. */
export class HtmlPage extends Error {
  constructor() {
    super('it gives an HTML page (a login page?)')
  }
}

/** Whether the same address may well answer better a little later. */
export function worthAnotherTry(error: Error): boolean {
  if (error instanceof HttpStatus)
    return error.status === 408 || error.status === 425 || error.status === 429 || error.status >= 500
  const final = [ApplianceError, Redirected, LocalFile, HtmlPage]
  return !final.some((kind) => error instanceof kind) && !isUntrusted(error)
}

/** A certificate that does not convince will not convince a second later; nor will what is no TLS at all. */
function isUntrusted(error: Error): boolean {
  const code = codeOf(error)
  return /CERT|ALTNAME|SELF_SIGNED|UNABLE_TO_VERIFY|^ERR_SSL/.test(code)
}

/** What a failure of a connection is for a person; Node's own words are often only a code. */
export function reasonOf(thrown: unknown): string {
  const error = thrown as Error
  const code = codeOf(error)
  // Node's words for a connection that ended before the answer did.
  if (code === 'ECONNRESET' && /^(aborted|socket hang up)$/.test(error.message)) return 'other side closed'
  if (code.startsWith('ERR_SSL')) return `TLS does not come about (${code})`
  if (code.startsWith('HPE_')) return `it does not speak HTTP (${code})`
  const message = error.message || (error as AggregateError).errors?.[0]?.message || code
  return message.includes(code) || code === '' ? message : `${message} (${code})`
}

function codeOf(error: Error | undefined): string {
  if (error === undefined) return ''
  return (error as NodeJS.ErrnoException).code ?? codeOf(error.cause as Error | undefined)
}

/** One address, what came of it, and after how many attempts it was given up. */
export interface Failure {
  url: string
  error: Error
  tries: number
}

/**
 * What all addresses together mean: bytes that are not those, gone, or not to be had.
 *
 * @param locked whether it is known to have been there once
 */
export function verdict(title: string, failures: readonly Failure[], locked = true): ApplianceError {
  const first = failures[0]
  if (!first) return new ApplianceError('gone', `${title} has no address from which it could be had`)
  const mismatch = failures.find(({ error }) => error instanceof ApplianceError)
  if (mismatch) return mismatch.error as ApplianceError
  const dropped = failures.filter(({ error }) => isMissing(error))
  const others = failures.filter(({ error }) => !isMissing(error))
  const said = others.map(
    ({ url, error, tries }) =>
      `${url} could not be fetched (${error.message}; tried ${tries === 1 ? 'once' : `${tries} times`})`,
  )
  // Upstream itself says so; that its snapshots do not answer either leaves nowhere to go.
  if (isMissing(first.error)) {
    const places = dropped.map(({ url }) => url).join(' and ')
    const is = locked ? 'is no longer' : 'is not'
    return new ApplianceError('gone', [`${title} ${is} at ${places}`, ...said].join('; '), {
      hint: locked
        ? 'Upstream dropped it. Take the mirror from a cache or an archive, or lock again: appliance lock --update'
        : 'Correct the address in the spec.',
    })
  }
  const missing = dropped.length === 0 ? [] : [`it is not at ${dropped.map(({ url }) => url).join(' and ')}`]
  return new ApplianceError('unreachable', `${title}: ${[...said, ...missing].join('; ')}`, {
    hint: hintFor(first.error),
    cause: others.at(-1)!.error,
  })
}

function isMissing(error: Error): boolean {
  return error instanceof HttpStatus && error.missing
}

function hintFor(error: Error): string {
  const status = error instanceof HttpStatus ? error.status : 0
  if (status === 401 || status === 403 || error instanceof HtmlPage)
    return 'Does it want credentials? Give them by auth: in the spec, or in ~/.netrc.'
  if (status === 407)
    return 'The proxy wants credentials: http://USER:PASSWORD@HOST:PORT in http_proxy or https_proxy.'
  if (isUntrusted(error) && !codeOf(error).startsWith('ERR_SSL'))
    return 'If a certificate of your own is in use, name it in the environment: NODE_EXTRA_CA_CERTS=FILE.'
  return 'Is the address right, and the network up? The next run continues where this one stopped.'
}

/** Who promises bytes. */
export type Promiser = 'the lock' | 'the spec' | 'its signed list'

/** Other bytes than promised. */
export function mismatch(
  title: string,
  url: string,
  expected: string,
  got: string,
  by: Promiser = 'the lock',
): ApplianceError {
  const otherwise =
    by === 'the lock'
      ? 'If upstream really replaced it, look at it first, then: appliance lock --update'
      : by === 'the spec'
        ? 'Correct the digest in the spec if it is wrong; if it is not, somebody else answers there.'
        : 'The server has another release of it than the list, or somebody else answers there.'
  return new ApplianceError(
    'digest-mismatch',
    `${title}: ${url} gives other bytes than ${by} promises: expected ${expected}, got ${got}`,
    { hint: `Nothing of it was kept. ${otherwise}` },
  )
}

/** A failure of this computer's files, not of the network: trying again would not help. undefined: it is none. */
export function localFailure(error: Error, title: string, folder: string): Error | undefined {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new ApplianceError('disk-full', `no space left on the disk for ${title} in ${folder}`, {
      hint: 'Free some space (appliance gc names what may go) and run the same command again; it continues.',
      cause: error,
    })
  if (['EACCES', 'EROFS', 'EPERM'].includes(code))
    return new ApplianceError('missing-tool', `${title} cannot be written to ${folder}: ${words(code)}`, {
      hint: 'Make the folder writable for this user, or build elsewhere.',
      cause: error,
    })
  return ['EFBIG', 'EIO', 'EMFILE', 'ENFILE'].includes(code) ? error : undefined
}

function words(code: string): string {
  return code === 'EROFS' ? 'its file system is read-only' : 'this user may not'
}
