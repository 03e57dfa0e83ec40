const [IPV4, IPV6, VLAN] = [0x0800, 0x86dd, 0x8100]
const [TCP, UDP] = [6, 17]

/**
 * What an Ethernet frame carries behind its headers, as a view of the same bytes; of a frame of another kind, all behind
 * Ethernet's own.
 *
 * @see IEEE 802.3, 802.1Q; RFC 791, 3.1; RFC 8200, 3; RFC 9293, 3.1; RFC 768
 */
export function payloadOf(frame: Buffer): Buffer {
  if (frame.length < 18) return frame.subarray(frame.length)
  const tagged = frame.readUInt16BE(12) === VLAN
  const type = frame.readUInt16BE(tagged ? 16 : 12)
  const packet = frame.subarray(tagged ? 18 : 14)
  if (type === IPV4 && packet.length >= 20) {
    const datagram = packet.subarray((packet[0]! & 15) * 4)
    // Of a packet in pieces only the first has ports.
    return (packet.readUInt16BE(6) & 0x1fff) === 0 ? behindPorts(packet[9]!, datagram) : datagram
  }
  return type === IPV6 && packet.length >= 40 ? behindPorts(packet[6]!, packet.subarray(40)) : packet
}

function behindPorts(protocol: number, datagram: Buffer): Buffer {
  if (protocol === TCP && datagram.length >= 20) return datagram.subarray((datagram[12]! >> 4) * 4)
  return protocol === UDP ? datagram.subarray(8) : datagram
}
