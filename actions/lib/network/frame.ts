import { isIPv6 } from 'node:net'
import { type Question, questionIn } from './dns-message.ts'

/** Somebody's first word to somebody: a connection begun, a datagram. */
export interface Approach {
  /** IPv4 dotted; IPv6 in eight groups. */
  to: string
  /** `tcp/443`, `udp/53`, `icmp`. */
  how: string
  /** What a resolver was asked, by UDP. */
  question?: Question
}

const IPV4 = 0x0800
const IPV6 = 0x86dd
const protocols: Record<number, string> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmp' }

/**
 * What an Ethernet frame begins; undefined for what begins nothing (answers, packets of an open connection, ARP) or
 * reaches nobody beyond its own network (broadcasts, multicasts, link-local addresses). A frame may be cut short.
 *
 * @see IEEE 802.3; RFC 791, 3.1; RFC 8200, 3; RFC 9293, 3.1; RFC 768
 */
export function approachIn(frame: Buffer): Approach | undefined {
  if (frame.length < 14) return undefined
  const type = frame.readUInt16BE(12)
  const packet = frame.subarray(14)
  if (type === IPV4) return ipv4(packet)
  return type === IPV6 ? ipv6(packet) : undefined
}

function ipv4(packet: Buffer): Approach | undefined {
  if (packet.length < 20 || packet[0]! >> 4 !== 4) return undefined
  const to = [...packet.subarray(16, 20)].join('.')
  // 224.0.0.0 and above: multicast (RFC 5771), broadcast, reserved. 0: this network (RFC 1122).
  if (packet[16]! >= 224 || packet[16] === 0 || packet[16] === 127) return undefined
  // Of a packet in pieces only the first has ports.
  if ((packet.readUInt16BE(6) & 0x1fff) !== 0) return undefined
  return approach(to, packet[9]!, packet.subarray((packet[0]! & 15) * 4))
}

function ipv6(packet: Buffer): Approach | undefined {
  // Only what is meant for the internet: 2000::/3 (RFC 4291, 2.4).
  if (packet.length < 40 || packet[24]! >> 5 !== 1) return undefined
  const groups = Array.from({ length: 8 }, (_, index) => packet.readUInt16BE(24 + 2 * index).toString(16))
  return approach(groups.join(':'), packet[6]!, packet.subarray(40))
}

function approach(to: string, number: number, payload: Buffer): Approach | undefined {
  const protocol = protocols[number] ?? `ip/${number}`
  if (protocol === 'icmp') {
    // Echo requests; the rest of ICMP speaks of other packets (RFC 792, RFC 4443).
    return payload[0] === (isIPv6(to) ? 128 : 8) ? { to, how: protocol } : undefined
  }
  if (protocol !== 'tcp' && protocol !== 'udp') return { to, how: protocol }
  if (payload.length < 8) return undefined
  const port = payload.readUInt16BE(2)
  const how = `${protocol}/${port}`
  if (protocol === 'tcp') {
    const flags = payload[13] ?? 0
    const [syn, ack] = [flags & 2, flags & 16]
    return syn && !ack ? { to, how } : undefined
  }
  const question = port === 53 ? questionIn(payload.subarray(8)) : undefined
  return question ? { to, how, question } : { to, how }
}
