import type { Escape } from './network.ts'

/** What the rules must know about the machines' network. */
export interface Rules {
  /** The interface behind which the machines are. */
  device: string
  /** Our address, which is the mirror's, the resolver's and the router's. */
  address: string
  /** The machines' network, e.g. `10.77.0.0/24`. */
  network: string
}

const TABLE = 'appliance'

/** The set of addresses and ports somebody tried, and that of addresses alone (protocols without ports). */
export const sets = { ports: 'tried', addresses: 'knocked' } as const

/**
 * Packets of the machines reach us and each other; whatever they send further is remembered and refused at once.
 * Done before routing, for there is no route anywhere. Broadcasts and multicasts, which every Linux emits, are
 * dropped in silence, and so is all of IPv6.
 *
 * @see nft(8), "Dynamic sets", "Reject statement"
 */
export function ruleset({ device, address, network }: Rules): string {
  return `table ip ${TABLE} {
  set ${sets.ports} {
    type ipv4_addr . inet_proto . inet_service
    flags dynamic
    counter
  }
  set ${sets.addresses} {
    type ipv4_addr . inet_proto
    flags dynamic
    counter
  }
  chain leaving {
    type filter hook prerouting priority -300
    iifname != "${device}" accept
    ip daddr ${address} accept
    udp sport 68 udp dport 67 accept
    fib daddr type { broadcast, multicast } drop
    ip daddr ${network} drop
    meta l4proto { tcp, udp } update @${sets.ports} { ip daddr . ip protocol . th dport }
    meta l4proto != { tcp, udp } update @${sets.addresses} { ip daddr . ip protocol }
    meta l4proto tcp reject with tcp reset
    reject with icmp type admin-prohibited
  }
}
table ip6 ${TABLE} {
  chain silence {
    type filter hook prerouting priority -300
    iifname "${device}" drop
  }
}
`
}

/** Arguments that make nft print a set as JSON. */
export function listSet(set: string): string[] {
  return ['-j', 'list', 'set', 'ip', TABLE, set]
}

/** One element as `nft -j` prints it. @see libnftables-json(5) */
interface Element {
  elem: { val: { concat: [string, string | number, number?] }; counter?: { packets: number } }
}

/** Reads what `nft -j list set` prints. */
export function parseSet(json: string): Escape[] {
  const { nftables } = JSON.parse(json) as { nftables: { set?: { elem?: Element[] } }[] }
  const elements = nftables.flatMap(({ set }) => set?.elem ?? [])
  return elements.map(({ elem }) => {
    const [to, protocol, port] = elem.val.concat
    return {
      to,
      how: port === undefined ? `${protocol}` : `${protocol}/${port}`,
      times: elem.counter?.packets ?? 1,
    }
  })
}
