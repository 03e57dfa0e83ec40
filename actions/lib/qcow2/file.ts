import { open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { alignedStretches, dataExtents } from '../disk/extents.ts'
import { writeAt } from '../files/at.ts'
import { GrainPool, LEVEL, STRETCH, threadsFor } from '../vmdk/grain-pool.ts'
import { alignedToCluster, CLUSTER, ClusterIndex } from './image.ts'

export interface Qcow2Options {
  signal: AbortSignal
  /** zlib's, 1 to 9. */
  level?: number
  /** Threads that compress (default: one a core). The bytes are the same for any number. */
  threads?: number
}

/**
 * A raw disk as a compressed qcow2, for KVM hosts. qemu-img compresses on several cores only when it may write in any
 * order (`-W`), and then its bytes depend on timing; here they are the same every time.
 *
 * @param path of the image; the name appears when it is whole
 */
export async function packQcow2(disk: string, path: string, options: Qcow2Options): Promise<string> {
  const partial = join(dirname(path), `.${basename(path)}.partial`)
  try {
    await write(disk, partial, options)
    await rename(partial, path)
    return path
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

async function write(disk: string, path: string, { signal, level, threads }: Qcow2Options): Promise<void> {
  const capacity = (await stat(disk)).size
  const stretches = [...alignedStretches(await dataExtents(disk, signal), STRETCH, capacity)]
  const index = new ClusterIndex(capacity)
  await using file = await open(path, 'w')
  await using pool = new GrainPool(disk, 'qcow2', threadsFor(stretches.length, threads), level ?? LEVEL)
  let at = index.dataAt
  for await (const { stretch, result } of pool.pack(stretches, signal)) {
    // What lies side by side is written at once.
    let [from, to, place] = [0, 0, at]
    for (const [offset, size] of result.sizes.entries()) {
      if (size === 0) continue
      if (size === CLUSTER && at % CLUSTER !== 0) {
        await writeAt(file, place, result.bytes.subarray(from, to))
        at = alignedToCluster(at)
        ;[from, place] = [to, at]
      }
      index.place(stretch.offset / CLUSTER + offset, at, size)
      to += size
      at += size
    }
    await writeAt(file, place, result.bytes.subarray(from, to))
  }
  at = alignedToCluster(at)
  const { head, tail } = index.finish(at)
  for (const part of tail) {
    await writeAt(file, at, part)
    at += part.length
  }
  await writeAt(file, 0, head)
  await file.datasync()
}
