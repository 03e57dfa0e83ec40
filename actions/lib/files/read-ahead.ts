import type { Bytes } from './bytes.ts'

const WINDOW = 1 << 20

/** The same bytes, read a MiB at a time: for many small reads that mostly go forward. */
export function readAhead(bytes: Bytes): Bytes {
  let start = 0
  let window: Buffer = Buffer.alloc(0)
  return {
    size: bytes.size,
    async read(at, length) {
      if (length > WINDOW) return await bytes.read(at, length)
      if (at < start || at + length > start + window.length) {
        start = at
        window = await bytes.read(at, WINDOW)
      }
      return window.subarray(at - start, at - start + length)
    },
  }
}
