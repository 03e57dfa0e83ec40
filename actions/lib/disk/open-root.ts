import { Ext4 } from './ext4.ts'
import type { Partition } from './gpt.ts'
import type { RootFileSystem, Tools } from './root-file-system.ts'
import { findRoot } from './root-partition.ts'
import { openXfs } from './xfs/xfs.ts'

/**
 * The root file system of a raw disk, whatever kind it is.
 *
 * @param scratch a folder for temporary files
 * @throws ApplianceError `input` where there is none that can be worked on
 */
export async function openRoot(
  disk: string,
  tools: Tools,
  scratch: string,
  signal: AbortSignal,
): Promise<{ partition: Partition; root: RootFileSystem }> {
  const found = await findRoot(disk)
  const { partition, filesystem } = found
  const root =
    filesystem === 'ext4'
      ? new Ext4(tools, disk, partition.start, scratch, signal)
      : await openXfs({ disk, found, tools, scratch, signal })
  return { partition, root }
}
