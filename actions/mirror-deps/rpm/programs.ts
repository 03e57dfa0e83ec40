import { join } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { LockedDebRepository } from '../../lib/lock/lock.ts'
import { rpmPackages } from '../../lib/mirror/packages.ts'
import type { StageWork } from '../../lib/stage/stage.ts'
import type { MirrorPaths } from '../paths.ts'
import { type ProgramRoot, programRoot } from '../program-root.ts'

/** The tools' dnf, rpm and createrepo_c, from the tools' part of a tree. */
export async function rpmPrograms(
  repositories: readonly LockedDebRepository[],
  tree: string,
  paths: MirrorPaths,
  work: Pick<StageWork, 'signal'>,
): Promise<ProgramRoot> {
  if (repositories.length === 0)
    throw new ApplianceError('internal', 'RPMs need the tools, and the lock has none')
  return await programRoot(repositories, join(tree, 'tools/deb'), {
    directory: paths.programs,
    packages: rpmPackages,
    signal: work.signal,
  })
}
