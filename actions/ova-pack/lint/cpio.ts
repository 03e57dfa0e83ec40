const HEADER = 110
const LONGEST_NAME = 4096
const MOST_NAMES = 50_000

/**
 * Names in a cpio archive of the kernel's kind ("newc"), from its bytes as they come.
 *
 * @see https://www.kernel.org/doc/html/latest/driver-api/early-userspace/buffer-format.html
 */
export class CpioNames {
  readonly names: string[] = []
  #pending: Buffer = Buffer.alloc(0)
  /** Bytes of content that are passed over. */
  #skip = 0
  #ended = false

  /** @returns once the archive has ended: what follows it (another archive, compressed or not), without the zeros between */
  add(piece: Buffer): Buffer | undefined {
    let bytes = this.#pending.length > 0 ? Buffer.concat([this.#pending, piece]) : piece
    for (;;) {
      const skipped = Math.min(this.#skip, bytes.length)
      bytes = bytes.subarray(skipped)
      this.#skip -= skipped
      if (this.#ended) {
        const begin = bytes.findIndex((byte) => byte !== 0)
        this.#pending = Buffer.alloc(0)
        return begin < 0 ? undefined : bytes.subarray(begin)
      }
      if (bytes.length >= 6 && !/^07070[12]/.test(bytes.toString('latin1', 0, 6))) return bytes
      if (this.#skip > 0 || bytes.length < HEADER) break
      const field = (index: number) =>
        Number.parseInt(bytes.toString('latin1', 6 + index * 8, 14 + index * 8), 16)
      const [fileSize, nameSize] = [field(6), field(11)]
      if (!(nameSize > 0 && nameSize <= LONGEST_NAME) || !(fileSize >= 0)) return bytes.subarray(HEADER)
      const nameEnd = Math.ceil((HEADER + nameSize) / 4) * 4
      if (bytes.length < nameEnd) break
      const name = bytes.toString('utf8', HEADER, HEADER + nameSize - 1)
      if (name === 'TRAILER!!!') this.#ended = true
      else if (this.names.length < MOST_NAMES) this.names.push(name)
      bytes = bytes.subarray(nameEnd)
      this.#skip = Math.ceil(fileSize / 4) * 4
    }
    this.#pending = Buffer.from(bytes)
    return undefined
  }
}
