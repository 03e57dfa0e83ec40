import type { FileHandle } from 'node:fs/promises'

/** Something that can be read anywhere: a file, a member of an archive, the disk inside a VMDK. */
export interface Bytes {
  /** Bytes. */
  readonly size: number
  /** What is there; less than `length` only at the end. */
  read(at: number, length: number): Promise<Buffer>
}

/** A file, or `size` bytes of it from `start` on. */
export function fileBytes(file: FileHandle, start: number, size: number): Bytes {
  return {
    size,
    async read(at, length) {
      const wanted = Math.max(0, Math.min(length, size - at))
      const buffer = Buffer.alloc(wanted)
      let filled = 0
      while (filled < wanted) {
        const { bytesRead } = await file.read(buffer, filled, wanted - filled, start + at + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return buffer.subarray(0, filled)
    },
  }
}

/** A part of something readable. */
export function partOf(whole: Bytes, start: number, size: number): Bytes {
  const within = Math.max(0, Math.min(size, whole.size - start))
  return {
    size: within,
    read: (at, length) => whole.read(start + at, Math.max(0, Math.min(length, within - at))),
  }
}

/** Bytes in memory. */
export function memoryBytes(buffer: Buffer): Bytes {
  return { size: buffer.length, read: async (at, length) => buffer.subarray(at, at + length) }
}

/** All of it from beginning to end, in pieces of at most `step` bytes. */
export async function* inSteps(bytes: Bytes, signal: AbortSignal, step = 1 << 20): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.size; at += step) {
    signal.throwIfAborted()
    const piece = await bytes.read(at, step)
    if (piece.length === 0) return
    yield piece
  }
}
