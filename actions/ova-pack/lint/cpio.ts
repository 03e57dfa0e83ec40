const HEADER = 110
const MAGIC = 6
const LONGEST_NAME = 4096
const MOST_NAMES = 50_000

/**
 * Names in cpio archives of the kernel's kind ("newc"), one after the other, from their bytes as they come.
 *
 * @see https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
 */
export class CpioNames {
  readonly names: string[] = []
  #pending: Buffer = Buffer.alloc(0)
  /** Bytes of content that are passed over. */
  #skip = 0
  #between = true

  /** Whether each archive that has begun has ended, with nothing left over. */
  get whole(): boolean {
    return this.#between && this.#pending.length === 0
  }

  /**
   * @returns what is no cpio archive, from where it begins, zeros before it left out: whatever follows a whole one
   * (compressed as a rule), or damage within one that is not
   */
  add(piece: Buffer): Buffer | undefined {
    let bytes = this.#pending.length > 0 ? Buffer.concat([this.#pending, piece]) : piece
    this.#pending = Buffer.alloc(0)
    for (;;) {
      const skipped = Math.min(this.#skip, bytes.length)
      bytes = bytes.subarray(skipped)
      this.#skip -= skipped
      if (this.#between) {
        const begin = bytes.findIndex((byte) => byte !== 0)
        bytes = bytes.subarray(begin < 0 ? bytes.length : begin)
      }
      if (this.#skip > 0 || bytes.length < MAGIC) break
      if (!/^07070[12]/.test(bytes.toString('latin1', 0, MAGIC))) return bytes
      if (bytes.length < HEADER) break
      const field = (index: number) =>
        Number.parseInt(bytes.toString('latin1', 6 + index * 8, 14 + index * 8), 16)
      const [fileSize, nameSize] = [field(6), field(11)]
      if (!(nameSize > 0 && nameSize <= LONGEST_NAME) || !(fileSize >= 0)) return bytes
      const nameEnd = Math.ceil((HEADER + nameSize) / 4) * 4
      if (bytes.length < nameEnd) break
      const name = bytes.toString('utf8', HEADER, HEADER + nameSize - 1)
      this.#between = name === 'TRAILER!!!'
      if (!this.#between && this.names.length < MOST_NAMES) this.names.push(name)
      bytes = bytes.subarray(nameEnd)
      this.#skip = Math.ceil(fileSize / 4) * 4
    }
    this.#pending = Buffer.from(bytes)
    return undefined
  }
}
