import { rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { run } from '../process/command.ts'

/**
 * The sealed disk as a compressed qcow2, for KVM hosts. Clusters are written in the disk's order (no `-W`), so the
 * bytes do not depend on timing.
 */
export async function packQcow2(disk: string, path: string, signal: AbortSignal): Promise<string> {
  const partial = join(dirname(path), `.${basename(path)}.partial`)
  try {
    await run(
      'qemu-img',
      ['convert', '-q', '-c', '-f', 'raw', '-O', 'qcow2', '-o', 'compat=1.1', disk, partial],
      {
        signal,
      },
    )
    await rename(partial, path)
    return path
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}
