import { join } from 'node:path'
import { uuidOf } from '../../lib/disk/uuid.ts'
import { sha256, sha256File } from '../../lib/files/digest.ts'
import type { Lock } from '../../lib/lock/lock.ts'
import { asRoot } from '../../lib/process/as-root.ts'
import type { Spec } from '../../lib/spec/spec.ts'
import type { StageWork } from '../../lib/stage/stage.ts'
import type { ToolsRoot } from '../../lib/tools/tools.ts'
import { baseFiles, keyrings } from './files.ts'
import { makeImage } from './image.ts'
import { makeRoot } from './root.ts'
import { rpmFiles } from './rpm/files.ts'
import { makeRpmRoot } from './rpm/root.ts'
import { type Account, described, type System, systemOf } from './system.ts'

export interface BootstrapOrder {
  lock: Lock
  /** The disk to make. */
  raw: string
  /** Identifiers of the disk come from it. */
  seed: string
  /** Seconds since 1970; no file is younger. */
  epoch: number
  tools: ToolsRoot
  /** The machine, where it is not the spec's. */
  system?: System
}

/** A disk with a system on it, made from the mirror's packages: nothing is installed by running it. */
export async function bootstrapDisk(work: StageWork, order: BootstrapOrder): Promise<void> {
  const { lock, raw, seed, epoch, tools, system = systemOf(work.project.spec) } = order
  const { workDirectory, signal } = work
  const rootUuid = uuidOf(`${seed} root`)
  const root = join(workDirectory, 'root')
  const make = system.family === 'rpm' ? makeRpmRoot : makeRoot
  await work.timed('root', () => make(work, { system, lock, root, rootUuid, epoch, seed, tools }))
  const { disk: size, filesystem } = system
  await work.timed('image', () =>
    makeImage(raw, { root, rootUuid, size, filesystem, seed, epoch, work: workDirectory, signal }, tools),
  )
  await asRoot('rm', ['-rf', root], {})
}

/**
 * What a machine made from the mirror depends on, beyond its packages: part → content or digest.
 *
 * @param accounts those of a definition
 */
export async function bootstrapParts(
  spec: Spec,
  accounts: readonly Account[] = [],
): Promise<Record<string, string>> {
  if (!spec.basebox.bootstrap) return {}
  const system = systemOf(spec, process.env, accounts)
  const keys = await Promise.all(Object.values(keyrings(system.repositories)).map((path) => sha256File(path)))
  const files = system.family === 'rpm' ? rpmFiles(system, '') : baseFiles({ system, rootUuid: '' })
  return {
    'spec.basebox': described(system),
    files: sha256(JSON.stringify([files, system.rpmRepositories.map(({ gpgkey, ...rest }) => rest)])),
    keyrings: sha256(JSON.stringify(keys)),
  }
}
