import { rename, rm } from 'node:fs/promises'
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
  await convert(disk, flat, signal)
  await rename(flat, to)
}

/** One image of a disk and those under it, on its way. Disposing of it ends what has not been finished. */
export interface Flattening extends AsyncDisposable {
  /**
   * Adds what the disk itself has, to which nobody writes any more. It is used up: what lies under it is then a file
   * that is gone.
   *
   * @param to the name that the image has once it is whole
   */
  finish(disk: string, to: string): Promise<void>
}

/**
 * Does the same as {@link flatten} while a machine still writes to the disk: almost all lies under it, and is written
 * in the meantime.
 *
 * @param under what the disk lies over; nobody writes to it
 */
export function beginFlattening(under: string, workDirectory: string, signal: AbortSignal): Flattening {
  const flat = join(workDirectory, 'flat.qcow2')
  const stop = new AbortController()
  const written = convert(under, flat, AbortSignal.any([signal, stop.signal]))
  written.catch(() => {})
  let finished = false
  return {
    async finish(disk, to) {
      await written
      await run('qemu-img', ['rebase', '-q', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', flat, disk], {
        signal,
      })
      await run('qemu-img', ['commit', '-q', '-d', '-f', 'qcow2', disk], { signal })
      await rename(flat, to)
      finished = true
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await written.catch(() => {})
      if (!finished) await rm(flat, { force: true })
    },
  }
}

/** Written out of order: a good deal quicker, and nobody reads a qcow2 from front to back. */
async function convert(from: string, to: string, signal: AbortSignal): Promise<void> {
  await run('qemu-img', ['convert', '-q', '-W', '-m', '16', '-O', 'qcow2', from, to], { signal })
}
