import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../lib/process/command.ts'

/** Makes one image of a disk and those under it. It has its name once it is whole. */
export async function flatten(
  disk: string,
  to: string,
  workDirectory: string,
  signal: AbortSignal,
): Promise<void> {
  const flat = join(workDirectory, 'flat.qcow2')
  // Written out of order: a good deal quicker, and nobody reads a qcow2 from front to back.
  await run('qemu-img', ['convert', '-q', '-W', '-m', '16', '-O', 'qcow2', disk, flat], { signal })
  await rename(flat, to)
}
