import type { IncomingHttpHeaders } from 'node:http'

interface Cookie {
  name: string
  value: string
  path: string
  secure: boolean
  /** Of `Date.now()`; undefined: as long as the scenario goes on. */
  expires: number | undefined
}

/** What a scenario remembers between its requests: cookies, and which certificate a port has shown. */
export interface Browser {
  /** The `Cookie` header for a path; undefined where there is nothing to send. */
  cookiesFor(path: string, tls: boolean, now: number): string | undefined
  /** Takes the cookies of an answer to a request for `path`. */
  take(headers: IncomingHttpHeaders, path: string, now: number): void
  /** `INSTALLATION:PORT` → SHA-256 of the certificate it showed first, lower-case hex. */
  readonly certificates: Map<string, string>
}

/**
 * The guest is one host, so that domains do not matter.
 *
 * @see RFC 6265, 5.1.4 (paths), 5.2 (Set-Cookie), 5.4 (Cookie)
 */
export function browser(): Browser {
  const cookies = new Map<string, Cookie>()
  return {
    certificates: new Map(),
    cookiesFor(path, tls, now) {
      const fitting = [...cookies.values()].filter(
        (cookie) =>
          (tls || !cookie.secure) &&
          (cookie.expires === undefined || cookie.expires > now) &&
          covers(cookie.path, path.split('?')[0]!),
      )
      fitting.sort((a, b) => b.path.length - a.path.length)
      return fitting.map(({ name, value }) => `${name}=${value}`).join('; ') || undefined
    },
    take(headers, path, now) {
      for (const line of headers['set-cookie'] ?? []) {
        const cookie = parsed(line, path.split('?')[0]!, now)
        if (!cookie) continue
        const key = `${cookie.path}\n${cookie.name}`
        if (cookie.expires !== undefined && cookie.expires <= now) cookies.delete(key)
        else cookies.set(key, cookie)
      }
    },
  }
}

function covers(cookiePath: string, path: string): boolean {
  if (path === cookiePath) return true
  return path.startsWith(cookiePath) && (cookiePath.endsWith('/') || path[cookiePath.length] === '/')
}

function parsed(line: string, requestPath: string, now: number): Cookie | undefined {
  const [pair = '', ...attributes] = line.split(';')
  const equals = pair.indexOf('=')
  if (equals < 1) return undefined
  const told = new Map(
    attributes.map((attribute) => {
      const [name = '', ...value] = attribute.split('=')
      return [name.trim().toLowerCase(), value.join('=').trim()]
    }),
  )
  const folder = requestPath.slice(0, Math.max(1, requestPath.lastIndexOf('/')))
  const path = told.get('path')
  const age = Number(told.get('max-age') || Number.NaN)
  const date = Date.parse(told.get('expires') ?? '')
  return {
    name: pair.slice(0, equals).trim(),
    value: pair.slice(equals + 1).trim(),
    path: path?.startsWith('/') ? path : folder,
    secure: told.has('secure'),
    expires: Number.isNaN(age) ? (Number.isNaN(date) ? undefined : date) : now + age * 1000,
  }
}
