import { getProxyForUrl } from 'proxy-from-env'
import { Agent, type Dispatcher, ProxyAgent } from 'undici'
import { ApplianceError } from '../../lib/errors/error.ts'

/** Connections are kept for the next request to the same host; idle ones do not keep the process. */
const kept = new Map<string, Dispatcher>()

/**
 * Connections to an address: through the proxy that `http_proxy`, `https_proxy` or `all_proxy` names, if `no_proxy`
 * does not except the host.
 *
 * @param timeout until one stands, milliseconds
 */
export function connections(url: URL, timeout: number): Dispatcher {
  const proxy = getProxyForUrl(url.href)
  const key = keyOf(proxy, timeout)
  const there = kept.get(key)
  if (there) return there
  const made = proxy === '' ? new Agent({ connect: { timeout } }) : throughProxy(proxy, url, timeout)
  kept.set(key, made)
  return made
}

/** Ends all that goes through the proxy for an address; where there is none, nothing. */
export function abandonProxy(url: URL, timeout: number): void {
  const proxy = getProxyForUrl(url.href)
  const key = keyOf(proxy, timeout)
  const there = kept.get(key)
  if (proxy === '' || !there) return
  kept.delete(key)
  there.destroy().catch(() => {})
}

function keyOf(proxy: string, timeout: number): string {
  return `${timeout} ${proxy}`
}

/** The secrets that an address of a proxy may hold are in no message. */
function throughProxy(proxy: string, url: URL, timeout: number): Dispatcher {
  if (!/^https?:\/\//.test(proxy) || !URL.canParse(proxy))
    throw new ApplianceError(
      'input',
      `the proxy that the environment names for ${url.host} is no http address`,
      {
        hint: 'Look at http_proxy, https_proxy, all_proxy and no_proxy: http://HOST:PORT is what they are to hold.',
      },
    )
  // Proxies as a rule refuse to tunnel to port 80: what is not encrypted they are asked for plainly.
  return new ProxyAgent({ uri: proxy, proxyTunnel: false, proxyTls: { timeout }, requestTls: { timeout } })
}
