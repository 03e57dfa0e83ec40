/** One address a guest listens on: where, which port, over what. */
export interface Listener {
  address: string
  port: number
  protocol: 'tcp' | 'udp'
}

/** What lists the guest's listening sockets, for {@link parseListeners}. */
export const LIST_LISTENERS = 'ss -H -ltnu'

/**
 * Reads what `ss -H -ltnu` (or `-ltn`, which leaves the first column out) prints: netid, state, two queues, then
 * `address%interface:port`.
 */
export function parseListeners(text: string): Listener[] {
  return text.split('\n').flatMap((line) => {
    const columns = line.trim().split(/\s+/)
    const protocol = columns[0] === 'udp' ? 'udp' : 'tcp'
    const local = columns[columns[0] === 'tcp' || columns[0] === 'udp' ? 4 : 3]
    const match = local && /^(.*):(\d+)$/.exec(local)
    if (!match) return []
    const address = match[1]!.replace(/^\[/, '').replace(/\]?(%[^\]]*)?\]?$/, '')
    return [{ address, port: Number(match[2]), protocol }]
  })
}

/** Whether anyone but the guest itself can reach it. */
export function isOutside({ address }: Listener): boolean {
  return !(address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.'))
}

/** DHCP clients hear their answers on these (RFC 2131 4.1, RFC 8415 7.2); that is not a service of the guest. */
const addressClients = new Set(['68/udp', '546/udp'])

/** What a guest offers to the outside, as `80/tcp`, sorted by port, each once. */
export function offered(listeners: readonly Listener[]): string[] {
  const names = listeners.filter(isOutside).map(({ port, protocol }) => `${port}/${protocol}`)
  return [...new Set(names)]
    .filter((name) => !addressClients.has(name))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1))
}

/** What differs between the ports that were declared (`22/tcp`) and those that are offered. */
export function portDifferences(
  declared: readonly string[],
  found: readonly string[],
): { missing: string[]; extra: string[] } {
  return {
    missing: declared.filter((name) => !found.includes(name)),
    extra: found.filter((name) => !declared.includes(name)),
  }
}
