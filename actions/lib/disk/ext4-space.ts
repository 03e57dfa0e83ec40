import { type Ext4Programs, ext4Figure } from './ext4-programs.ts'
import type { Extent } from './extents.ts'
import { FREE_SPACE, JOURNAL } from './root-file-system.ts'

/** The journal's inode; it has no name. */
const JOURNAL_INODE = '8'

/** What dumpe2fs(8) says is free. */
export function ext4Free(described: string): Extent[] {
  const blockSize = ext4Figure(described, 'Block size')
  const free: Extent[] = []
  for (const [, ranges] of described.matchAll(/^ {2}Free blocks: (\d.*)$/gm))
    for (const range of ranges!.split(', ')) {
      const [first, last] = range.split('-').map(Number) as [number, number?]
      free.push({ start: first * blockSize, length: ((last ?? first) - first + 1) * blockSize })
    }
  return free
}

/** What dumpe2fs(8) says is not free. Bytes. */
export function ext4Used(described: string): number {
  const [all, free] = [ext4Figure(described, 'Block count'), ext4Figure(described, 'Free blocks')]
  return (all - free) * ext4Figure(described, 'Block size')
}

/** By debugfs(8), icheck and ncheck. */
export async function ext4Places(root: Ext4Programs, offsets: readonly number[]): Promise<string[]> {
  if (offsets.length === 0) return []
  const blockSize = ext4Figure(await root.debugfs(['show_super_stats -h']), 'Block size')
  const blocks = offsets.map((at) => Math.floor(at / blockSize))
  const inodes = pairs(await root.debugfs([`icheck ${[...new Set(blocks)].join(' ')}`]))
  const named = [...new Set(inodes.values())].filter((inode) => inode !== JOURNAL_INODE)
  const names = pairs(named.length > 0 ? await root.debugfs([`ncheck ${named.join(' ')}`]) : '')
  return blocks.map((block) => {
    const inode = inodes.get(String(block))
    if (inode === undefined) return FREE_SPACE
    if (inode === JOURNAL_INODE) return JOURNAL
    return names.get(inode) ?? `inode ${inode}, which has no name`
  })
}

/** The two columns that icheck and ncheck print. */
function pairs(output: string): Map<string, string> {
  return new Map(
    [...output.matchAll(/^(\d+)\t(\d+|\/.*)$/gm)].map(([, key, value]) => [key!, value!] as const),
  )
}
