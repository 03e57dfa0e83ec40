/** Bytes a tar block has; members are padded to whole blocks, two zero blocks end an archive. */
export const BLOCK = 512

/** 2000-01-01T00:00:00Z: every member's time, so that no clock shows in an OVA. */
const MTIME = 946684800

/** Beyond eleven octal digits a size is written in base 256 (GNU tar's extension of USTAR). */
const OCTAL_LIMIT = 8 ** 11

/**
 * The 512-byte header of a regular file, owned by root, mode 0644. Never a PAX header: VirtualBox refuses those.
 *
 * @param name plain file name, at most 100 bytes
 * @param size bytes
 * @param mtime seconds since 1970
 * @see POSIX.1-1988 ustar Interchange Format; GNU tar manual, "Basic Tar Format", base-256 numbers
 */
export function ustarHeader(name: string, size: number, mtime = MTIME): Buffer {
  if (Buffer.byteLength(name) > 100)
    throw new RangeError(`${name}: a name in an archive has at most 100 bytes`)
  const header = Buffer.alloc(BLOCK)
  header.write(name, 0)
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  writeSize(header, size)
  header.write(`${octal(mtime, 11)}\0`, 136)
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\x0000', 257)
  header.write('root', 265)
  header.write('root', 297)
  header.write('0000000\0', 329)
  header.write('0000000\0', 337)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${octal(sum, 6)}\0 `, 148)
  return header
}

/** Bytes a member's content takes in the archive. */
export function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK
}

function writeSize(header: Buffer, size: number): void {
  if (size < OCTAL_LIMIT) {
    header.write(`${octal(size, 11)}\0`, 124)
    return
  }
  header[124] = 0x80
  header.writeBigUInt64BE(BigInt(size), 128)
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}
