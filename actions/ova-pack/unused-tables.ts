import { open } from 'node:fs/promises'
import { ext4Figure } from '../lib/disk/ext4-programs.ts'
import { dataExtents, type Extent } from '../lib/disk/extents.ts'
import type { Tools } from '../lib/disk/root-file-system.ts'
import { writeAt } from '../lib/files/at.ts'
import { common } from './free-space.ts'

const STEP = 1 << 20

/**
 * The tables of new block groups lie where files did, and nobody writes them before they are used: there, what was in
 * those files would remain. Holes of the image stay holes.
 *
 * @param image an ext4 alone
 */
export async function emptyUnusedTables(image: string, tools: Tools, signal: AbortSignal): Promise<void> {
  const { stdout } = await tools.run('dumpe2fs', [image], { signal, keep: 64 << 20 })
  const unused = unusedTables(stdout).sort((a, b) => a.start - b.start)
  const zeros = Buffer.alloc(STEP)
  const data = await dataExtents(image, signal)
  await using file = await open(image, 'r+')
  for (const { start, length } of common(unused, data))
    for (let done = 0; done < length; done += STEP) {
      signal.throwIfAborted()
      await writeAt(file, start + done, zeros.subarray(0, Math.min(STEP, length - done)))
    }
}

/** Of what dumpe2fs(8) says. */
function unusedTables(dump: string): Extent[] {
  const blockSize = ext4Figure(dump, 'Block size')
  const found: Extent[] = []
  for (const group of dump.split(/^(?=Group \d+: )/m).slice(1)) {
    const flags = /\[(.*)\]/.exec(group.split('\n', 1)[0]!)?.[1] ?? ''
    const unused = [
      ...(flags.includes('BLOCK_UNINIT') ? ['Block bitmap'] : []),
      ...(flags.includes('INODE_UNINIT') ? ['Inode bitmap', 'Inode table'] : []),
    ]
    for (const what of unused) {
      const place = new RegExp(`${what} at (\\d+)(?:-(\\d+))?`).exec(group)
      if (!place) continue
      const [first, last] = [Number(place[1]), Number(place[2] ?? place[1])]
      found.push({ start: first * blockSize, length: (last - first + 1) * blockSize })
    }
  }
  return found
}
