import { isIPv6 } from 'node:net'

/** What the rules must know about the machines' network. */
export interface Rules {
  /** The interface behind which the machines are. */
  device: string
  /** Our address, which is the mirror's, the resolver's and the router's. */
  address: string
  /** The machines' network, e.g. `10.77.0.0/24`. */
  network: string
  /** Whether whoever asks another resolver is answered by ours, which remembers the name. Needs a kernel with NAT. */
  redirect: boolean
}

/**
 * Packets of the machines reach us and each other; whatever they send further is remembered and refused at once.
 * Done before routing, for there is no route anywhere. The programs of this computer that work in here are held to
 * the same: a route that leads nowhere (`default dev lo`) brings their packets to the chain `programs`. Broadcasts,
 * multicasts and link-local IPv6, which every Linux emits, are dropped in silence; of IPv6 only what is meant for the
 * internet (2000::/3, RFC 4291, 2.4) is remembered.
 *
 * @see nft(8), "Dynamic sets", "Reject statement", "NAT statements"
 */
export function ruleset({ device, address, network, redirect }: Rules): string {
  const refuse = `meta l4proto tcp reject with tcp reset
    reject with icmp type admin-prohibited`
  const question = 'meta l4proto { tcp, udp } th dport 53'
  return `table ip appliance {
  set ${SETS.machines.ports} {
    type ipv4_addr . ipv4_addr . inet_proto . inet_service
    flags dynamic
    counter
  }
  set ${SETS.machines.protocols} {
    type ipv4_addr . ipv4_addr . inet_proto
    flags dynamic
    counter
  }
  set ${SETS.programs.ports} {
    type ipv4_addr . inet_proto . inet_service
    flags dynamic
    counter
  }
  set ${SETS.programs.protocols} {
    type ipv4_addr . inet_proto
    flags dynamic
    counter
  }
  chain machines {
    type filter hook prerouting priority -300
    iifname != "${device}" accept
    ip daddr ${address} accept
    udp sport 68 udp dport 67 accept
    fib daddr type { broadcast, multicast } drop
    ip daddr ${network} drop
    meta l4proto { tcp, udp } update @${SETS.machines.ports} { ip saddr . ip daddr . ip protocol . th dport }
    meta l4proto != { tcp, udp } update @${SETS.machines.protocols} { ip saddr . ip daddr . ip protocol }
    ${
      redirect
        ? `${question} accept
    `
        : ''
    }${refuse}
  }
  chain programs {
    type filter hook output priority -300
    ${
      redirect
        ? `${question} accept
    `
        : ''
    }ip daddr ${network} accept
    fib daddr type { local, broadcast, multicast } accept
    meta l4proto { tcp, udp } update @${SETS.programs.ports} { ip daddr . ip protocol . th dport }
    meta l4proto != { tcp, udp } update @${SETS.programs.protocols} { ip daddr . ip protocol }
    ${refuse}
  }
${redirect ? redirection(device, address, question) : ''}}
table ip6 appliance {
  set ${SETS.machines.ports} {
    type ipv6_addr . ipv6_addr . inet_proto . inet_service
    flags dynamic
    counter
  }
  chain machines {
    type filter hook prerouting priority -300
    iifname != "${device}" accept
    ip6 daddr 2000::/3 meta l4proto { tcp, udp } update @${SETS.machines.ports} { ip6 saddr . ip6 daddr . meta l4proto . th dport }
    drop
  }
}
`
}

function redirection(device: string, address: string, question: string): string {
  return `  chain questions_of_machines {
    type nat hook prerouting priority -100
    iifname "${device}" ip daddr != ${address} ${question} dnat to ${address}
  }
  chain questions_of_programs {
    type nat hook output priority -100
    ip daddr != ${address} ${question} dnat to ${address}
  }
`
}

/** Of whom is remembered what: address and port, or an address alone (protocols without ports). */
const SETS = {
  machines: { ports: 'machines_ports', protocols: 'machines_protocols' },
  programs: { ports: 'programs_ports', protocols: 'programs_protocols' },
} as const

/** Arguments that make nft print all that was remembered, as JSON. */
export const listSets = ['-j', 'list', 'sets'] as const

/** A packet that was refused. */
export interface Refused {
  /** The machine's address; undefined for a program of this computer. */
  from: string | undefined
  to: string
  /** `tcp/443`, `icmp`. */
  how: string
  times: number
}

/** One set as `nft -j` prints it. @see libnftables-json(5) */
interface PrintedSet {
  name: string
  elem?: { elem: { val: { concat: (string | number)[] }; counter?: { packets: number } } }[]
}

/** Reads what `nft -j list sets` prints. */
export function parseSets(json: string): Refused[] {
  const { nftables } = JSON.parse(json) as { nftables: { set?: PrintedSet }[] }
  return nftables.flatMap(({ set }) => {
    const ofMachines = Object.values<string>(SETS.machines).includes(set?.name ?? '')
    return (set?.elem ?? []).map(({ elem: { val, counter } }) => {
      const [from, to, protocol, port] = ofMachines ? val.concat : [undefined, ...val.concat]
      return {
        from: from === undefined ? undefined : String(from),
        to: isIPv6(String(to)) ? `[${to}]` : String(to),
        how: port === undefined ? String(protocol) : `${protocol}/${port}`,
        times: counter?.packets ?? 1,
      }
    })
  })
}
