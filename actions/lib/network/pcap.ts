/** What of a capture file was read: whole packets, and where the first one begins that is not whole yet. */
export interface Captured {
  packets: Buffer[]
  /** Bytes consumed. */
  end: number
}

const FILE_HEADER = 24
const PACKET_HEADER = 16
const ETHERNET = 1

/**
 * Reads packets from a piece of a capture file that is still being written.
 *
 * @param bytes from the beginning of the file, or from where an earlier call ended
 * @param header the file's first 24 bytes; undefined when `bytes` begins with them
 * @throws Error for what is no such file
 * @see https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-03.html, 4 (file header) and 5 (packet record)
 */
export function readPackets(bytes: Buffer, header?: Buffer): Captured {
  let at = header ? 0 : FILE_HEADER
  const first = header ?? bytes
  if (first.length < FILE_HEADER) return { packets: [], end: 0 }
  const magic = first.readUInt32LE(0)
  const little = magic === 0xa1b2c3d4 || magic === 0xa1b23c4d
  if (!little && magic !== 0xd4c3b2a1 && magic !== 0x4d3cb2a1) throw new Error('no packet capture (pcap)')
  const number = (offset: number, from = bytes) =>
    little ? from.readUInt32LE(offset) : from.readUInt32BE(offset)
  if ((number(20, first) & 0xffff) !== ETHERNET)
    throw new Error('a packet capture (pcap), but not of Ethernet')
  const packets: Buffer[] = []
  while (at + PACKET_HEADER <= bytes.length) {
    const length = number(at + 8)
    if (at + PACKET_HEADER + length > bytes.length) break
    packets.push(bytes.subarray(at + PACKET_HEADER, at + PACKET_HEADER + length))
    at += PACKET_HEADER + length
  }
  return { packets, end: at }
}

/** Length of the file's header, which later pieces are read with. */
export const HEADER = FILE_HEADER
