type Environment = Record<string, string | undefined>

const kinds = ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'] as const

/** For whoever is started where no proxy can be reached: in the private network there are the mirror and the machine. */
export const withoutProxies: Readonly<Record<string, undefined>> = Object.fromEntries(
  kinds.flatMap((kind) => [kind, kind.toUpperCase()]).map((name) => [name, undefined]),
)

/** Those that an environment names. */
export function proxiesIn(env: Environment): Record<string, string> {
  const named = Object.keys(withoutProxies).flatMap((name) => (env[name] ? [[name, env[name]]] : []))
  return Object.fromEntries(named) as Record<string, string>
}

/** Nobody's proxy could reach them. */
const OURSELVES = ['localhost', '127.0.0.1', '::1', '[::1]']

/**
 * Writes the proxies of an environment so that all who read them mean the same: apt and (for http) libcurl look at the
 * small names alone, Azure's client takes the capital ones first, GitHub's knows no `all_proxy`, and each has its own idea
 * of an address without `http://` and of what `no_proxy` excepts. Small names win; a host in `no_proxy` means those below
 * it, too, and `*` everything, as for curl.
 *
 * @see curl(1), ENVIRONMENT; https://docs.github.com/actions/how-tos/manage-runners/self-hosted-runners/use-proxy-servers
 */
export function settleProxies(env: Environment): void {
  const said = (kind: string) => (env[kind] || env[kind.toUpperCase()] || '').trim()
  const none = said('no_proxy').split(/[\s,]+/)
  const all = none.includes('*') ? '' : withScheme(said('all_proxy'))
  // Not every client can speak with what is no HTTP proxy; those that can read all_proxy themselves.
  const fallback = /^https?:/i.test(all) ? all : ''
  const proxies = {
    http_proxy: none.includes('*') ? '' : withScheme(said('http_proxy')) || fallback,
    https_proxy: none.includes('*') ? '' : withScheme(said('https_proxy')) || fallback,
    all_proxy: all,
  }
  const any = Object.values(proxies).some((proxy) => proxy !== '')
  // Without a proxy here it is for those that programs have in their own configuration (git's http.proxy).
  const no_proxy = any ? [...new Set([...none.flatMap(withBelow), ...OURSELVES])].join(',') : said('no_proxy')
  for (const [kind, value] of Object.entries({ ...proxies, no_proxy }))
    for (const name of [kind, kind.toUpperCase()])
      if (value === '') delete env[name]
      else env[name] = value
}

function withScheme(proxy: string): string {
  return proxy === '' || proxy.includes('://') ? proxy : `http://${proxy}`
}

/** `example.com` → itself and `.example.com`; addresses and what has a port stay as they are. */
function withBelow(host: string): string[] {
  if (host === '' || host === '*') return []
  const name = host.replace(/^\*?\./, '').toLowerCase()
  if (/[:/]/.test(name) || /^[\d.]+$/.test(name) || OURSELVES.includes(name)) return [host]
  return [name, `.${name}`]
}
