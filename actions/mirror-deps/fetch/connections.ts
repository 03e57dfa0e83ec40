import { type Agent, Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { HttpProxyAgent } from 'http-proxy-agent'
import { HttpsProxyAgent } from 'https-proxy-agent'
import { getProxyForUrl } from 'proxy-from-env'
import { ApplianceError } from '../../lib/errors/error.ts'

/** Connections are kept for the next request to the same host; idle ones do not keep the process. */
const direct = {
  'http:': new HttpAgent({ keepAlive: true }),
  'https:': new HttpsAgent({ keepAlive: true }),
}
const throughProxies = new Map<string, Agent>()

/**
 * Connections to an address: through the proxy that `http_proxy`, `https_proxy` or `all_proxy` names, if `no_proxy`
 * does not except the host.
 */
export function connections(url: URL): Agent {
  const proxy = getProxyForUrl(url.href)
  if (proxy === '') return url.protocol === 'https:' ? direct['https:'] : direct['http:']
  const key = `${url.protocol} ${proxy}`
  const there = throughProxies.get(key)
  if (there) return there
  const made = throughProxy(proxy, url)
  throughProxies.set(key, made)
  return made
}

/** The secrets that an address of a proxy may hold are in no message. */
function throughProxy(proxy: string, url: URL): Agent {
  if (!/^https?:\/\//.test(proxy) || !URL.canParse(proxy))
    throw new ApplianceError(
      'input',
      `the proxy that the environment names for ${url.host} is no http address`,
      {
        hint: 'Look at http_proxy, https_proxy, all_proxy and no_proxy: http://HOST:PORT is what they are to hold.',
      },
    )
  // Proxies as a rule refuse to tunnel to port 80: what is not encrypted they are asked for plainly.
  return url.protocol === 'https:' ? new HttpsProxyAgent(proxy) : new HttpProxyAgent(proxy)
}
