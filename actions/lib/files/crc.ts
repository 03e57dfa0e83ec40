/** CRC-32 of ISO 3309; zlib's own is not in every Node 20. */
export function crc32(bytes: Uint8Array): number {
  return reflected(bytes, 0xedb8_8320)
}

/** CRC-32C (Castagnoli). @see RFC 3720, appendix B.4 */
export function crc32c(bytes: Uint8Array): number {
  return reflected(bytes, 0x82f6_3b78)
}

function reflected(bytes: Uint8Array, polynomial: number): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? polynomial : 0)
  }
  return (crc ^ 0xffff_ffff) >>> 0
}
