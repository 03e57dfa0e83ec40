import { open } from 'node:fs/promises'
import { dataExtents, type Extent } from '../lib/disk/extents.ts'
import { ApplianceError } from '../lib/errors/error.ts'

const STEP = 1 << 20

/**
 * Proves that free blocks hold nothing but zeros.
 *
 * @param free in the file system, ascending
 * @param offset of the file system in the disk
 * @returns bytes that are free
 */
export async function proveFreeSpaceEmpty(
  free: readonly Extent[],
  disk: string,
  offset: number,
  signal: AbortSignal,
): Promise<number> {
  const data = await dataExtents(disk, signal)
  const zeros = Buffer.alloc(STEP)
  const buffer = Buffer.alloc(STEP)
  const file = await open(disk, 'r')
  try {
    for (const { start, length } of common(
      free.map((extent) => ({ ...extent, start: extent.start + offset })),
      data,
    ))
      for (let at = start; at < start + length; at += STEP) {
        signal.throwIfAborted()
        const { bytesRead } = await file.read(buffer, 0, Math.min(STEP, start + length - at), at)
        if (!buffer.subarray(0, bytesRead).equals(zeros.subarray(0, bytesRead)))
          throw new ApplianceError(
            'check-failed',
            `sealing: free space is not empty near byte ${at} of the disk`,
          )
      }
  } finally {
    await file.close()
  }
  return free.reduce((total, { length }) => total + length, 0)
}

/** What two ascending lists have in common. */
export function common(a: readonly Extent[], b: readonly Extent[]): Extent[] {
  const found: Extent[] = []
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [left, right] = [a[i]!, b[j]!]
    const start = Math.max(left.start, right.start)
    const [leftEnd, rightEnd] = [left.start + left.length, right.start + right.length]
    const end = Math.min(leftEnd, rightEnd)
    if (start < end) found.push({ start, length: end - start })
    if (leftEnd < rightEnd) i++
    else j++
  }
  return found
}
