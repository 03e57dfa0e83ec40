import { type Asked, Questions } from './questions.ts'

/** The one name there is: with a dot, because systemd-resolved asks nobody about names without. */
export const MIRROR = 'mirror.internal'

/** What dnsmasq is told. Paths are absolute. */
export interface DnsmasqSettings {
  device: string
  address: string
  /** First and last address to hand out. */
  range: readonly [string, string]
  log: string
  leases: string
}

/**
 * DHCP with ourselves as router and resolver, and a resolver that knows one name and remembers every question.
 * A machine is known by its MAC alone, whatever identifier its system sends, and keeps its address for ever: after
 * a rollback, and when another system boots on it. It runs in the foreground, as our child.
 *
 * @see dnsmasq(8)
 */
export function dnsmasqArguments({ device, address, range, log, leases }: DnsmasqSettings): string[] {
  return [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--pid-file=',
    // Inside a user namespace there is nobody else to be.
    '--user=root',
    '--group=root',
    `--interface=${device}`,
    '--bind-interfaces',
    '--no-hosts',
    '--no-resolv',
    '--no-poll',
    '--local=/#/',
    `--host-record=${MIRROR},${address}`,
    '--log-queries',
    `--log-facility=${log}`,
    '--dhcp-authoritative',
    '--dhcp-ignore-clid',
    '--no-ping',
    `--dhcp-range=${range[0]},${range[1]},255.255.255.0,infinite`,
    `--dhcp-option=option:router,${address}`,
    `--dhcp-option=option:dns-server,${address}`,
    `--dhcp-leasefile=${leases}`,
  ]
}

/**
 * Names that were asked for and are not here, from dnsmasq's log. A name that was asked for as A and as AAAA was
 * wanted once; the reverse of our own addresses is not a wish to leave.
 */
export function foreignNames(log: string): Asked[] {
  const questions = new Questions()
  for (const [, type, spelt, from] of log.matchAll(/ query\[([^\]]+)\] (\S+) from (\S+)$/gm)) {
    const name = spelt!.toLowerCase()
    if (name !== MIRROR && !name.endsWith('.77.10.in-addr.arpa')) questions.add(from!, name, type!)
  }
  return questions.list()
}

/** The address that a MAC was last given, from dnsmasq's log. */
export function givenAddress(log: string, mac: string): string | undefined {
  let address: string | undefined
  for (const [, ip, to] of log.matchAll(/ DHCPACK\([^)]*\) (\S+) (\S+)/g))
    if (to === mac.toLowerCase()) address = ip
  return address
}
