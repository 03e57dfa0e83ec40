import { join } from 'node:path'
import { uuidOf } from '../../lib/disk/uuid.ts'
import type { Lock } from '../../lib/lock/lock.ts'
import { asRoot } from '../../lib/process/as-root.ts'
import type { StageWork } from '../../lib/stage/stage.ts'
import type { ToolsRoot } from '../../lib/tools/tools.ts'
import { makeImage } from './image.ts'
import { makeRoot } from './root.ts'

export interface BootstrapOrder {
  lock: Lock
  /** The disk to make. */
  raw: string
  /** Identifiers of the disk come from it. */
  seed: string
  /** Seconds since 1970; no file is younger. */
  epoch: number
  tools: ToolsRoot
}

/** A disk with a system on it, made from the mirror's packages: nothing is installed by running it. */
export async function bootstrapDisk(work: StageWork, order: BootstrapOrder): Promise<void> {
  const { lock, raw, seed, epoch, tools } = order
  const { workDirectory, signal } = work
  const rootUuid = uuidOf(`${seed} root`)
  const size = work.project.spec.basebox.disk
  const root = join(workDirectory, 'root')
  await work.timed('root', () => makeRoot(work, lock, root, rootUuid, epoch))
  await work.timed('image', () =>
    makeImage(raw, { root, rootUuid, size, seed, epoch, work: workDirectory, signal }, tools),
  )
  await asRoot('rm', ['-rf', root], {})
}
