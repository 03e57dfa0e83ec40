/** A file, a folder or a device for the kernel's first file system. */
export interface CpioEntry {
  /** Relative: `bin/perl`. */
  name: string
  /** File type and permission bits, as in inode(7). */
  mode: number
  content?: Buffer
  device?: { major: number; minor: number }
}

/**
 * An archive of the kind that the kernel unpacks into its first file system ("newc").
 *
 * @see https://www.kernel.org/doc/html/latest/driver-api/early-userspace/buffer-format.html
 */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = []
  const all = [...entries, { name: 'TRAILER!!!', mode: 0 }]
  for (const [index, { name, mode, content = Buffer.alloc(0), device }] of all.entries() as Iterable<
    [number, CpioEntry]
  >) {
    const fields = [index + 1, mode, 0, 0, 1, 0, content.length, 0, 0]
    const rest = [device?.major ?? 0, device?.minor ?? 0, Buffer.byteLength(name) + 1, 0]
    const header = [...fields, ...rest].map((field) => field.toString(16).padStart(8, '0')).join('')
    parts.push(padded(Buffer.from(`070701${header}${name}\0`)), padded(content))
  }
  return Buffer.concat(parts)
}

function padded(bytes: Buffer): Buffer {
  const over = bytes.length % 4
  return over === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(4 - over)])
}
