import { run } from '../process/command.ts'

/** Part of a file that may hold something else than zeros. Bytes. */
export interface Extent {
  start: number
  length: number
}

/**
 * Where a raw disk has data, in ascending order: what is left out is holes. Node cannot ask the file system
 * (SEEK_DATA), qemu-img can.
 */
export async function dataExtents(disk: string, signal?: AbortSignal): Promise<Extent[]> {
  const { stdout } = await run('qemu-img', ['map', '-f', 'raw', '--output=json', disk], {
    keep: 128 << 20,
    ...(signal ? { signal } : {}),
  })
  const map = JSON.parse(stdout) as { start: number; length: number; data: boolean }[]
  const extents: Extent[] = []
  for (const { start, length, data } of map) {
    if (!data) continue
    const last = extents.at(-1)
    if (last && last.start + last.length === start) last.length += length
    else extents.push({ start, length })
  }
  return extents
}

/**
 * The stretches, aligned to `step` bytes from the disk's beginning, that touch an extent; each once, ascending.
 *
 * @param size of the disk; the last stretch ends there
 */
export function* alignedStretches(
  extents: readonly Extent[],
  step: number,
  size: number,
): Generator<{ offset: number; length: number }> {
  let next = 0
  for (const { start, length } of extents) {
    next = Math.max(next, Math.floor(start / step) * step)
    for (const end = Math.min(start + length, size); next < end; next += step)
      yield { offset: next, length: Math.min(step, size - next) }
  }
}
