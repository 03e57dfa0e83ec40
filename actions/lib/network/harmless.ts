import type { Attempt } from './network.ts'

/**
 * Why an attempt to reach something that is not in the mirror is nobody's concern; undefined where it is. What every
 * system does by itself, whose failure changes nothing, belongs here, and nothing else: a package manager that looks
 * for its upstream does not.
 *
 * Broadcasts, multicasts (mDNS, LLMNR, SSDP, IGMP) and link-local IPv6 (neighbour and router solicitations, DHCPv6)
 * never come as far: they reach nobody beyond the network they are sent in.
 *
 * @param computer this computer's own name
 */
export function harmlessReason(
  { to, how }: Pick<Attempt, 'to' | 'how'>,
  computer: string,
): string | undefined {
  if (how === 'dns') return harmlessName(to, computer.toLowerCase())
  if (how === 'udp/123') return TIME
  if (to.startsWith('169.254.')) return 'a link-local address is in no other network (RFC 3927)'
  return undefined
}

const TIME = 'asks for the time (NTP), which every system does'

/** Where systemd-timesyncd, chrony and ntpd ask as Debian, Ubuntu, Fedora and systemd itself set them up. */
const clocks =
  /^((\d\.)?([a-z0-9-]+\.)?pool\.ntp\.org|ntp\.ubuntu\.com|time\d?\.google\.com|time\.cloudflare\.com)$/

/** Names that the internet does not have and will not have: RFC 2606, 6761, 6762, 7686, 8375, and `.internal`. */
const reserved = /\.(test|example|invalid|localhost|local|internal|onion|home\.arpa)$/

/** Reverse names of addresses that are in no internet: RFC 1918, 1122, 3927, 4193, 4291. */
const reverse =
  /\.(10|127|254\.169|168\.192|(1[6-9]|2\d|3[01])\.172)\.in-addr\.arpa$|\.([cd]\.f|[89ab]\.e\.f|0\.0\.0\.0\.0\.0)\.ip6\.arpa$/

function harmlessName(name: string, computer: string): string | undefined {
  if (clocks.test(name)) return TIME
  if (name === computer) return 'this computer’s own name'
  if (!name.includes('.')) return 'a name without a dot is no name of the internet'
  if (reserved.test(name)) return 'a reserved name, which the internet does not have (RFC 6761)'
  return reverse.test(name) ? 'the name of an address that is in no internet' : undefined
}
