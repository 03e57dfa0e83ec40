import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { LockedDebRepository, LockedRpmRepository } from '../../lib/lock/lock.ts'
import { rpmBasePackages } from '../../lib/mirror/packages.ts'
import { familyOf } from '../../lib/spec/family.ts'
import type { Spec } from '../../lib/spec/spec.ts'
import { wantedOfToolsDebs } from '../deb/source.ts'
import { fetchAll } from '../fetch/fetch.ts'
import { mirrorKey } from '../mirror-key.ts'
import type { Resolver } from '../resolver.ts'
import { writeDebTrees } from '../tree.ts'
import { lockRpms } from './lock.ts'
import { rpmPrograms } from './programs.ts'

/** The guest's RPMs, over all their repositories in one transaction; those that stay keep to the index they had. */
export async function resolveRpms(
  { work, paths, there, stays, ledger }: Resolver,
  toolsDeb: readonly LockedDebRepository[],
): Promise<LockedRpmRepository[]> {
  const entries = withBase(work.project.spec)
  const kept = (name: string) =>
    stays(`rpm ${name}`) ? there?.rpm.find((repository) => repository.name === name) : undefined
  const before = there?.rpm ?? []
  const base = familyOf(work.project.spec) === 'deb' || stays('basebox')
  if (base && before.length === entries.length && entries.every(({ name }) => kept(name))) return before
  const { log, signal, workDirectory } = work
  const { store, shared } = paths
  const fetching = { store, sharedStore: shared, log, signal, verify: false, ledger }
  return await log.group('resolving RPMs', async () => {
    await fetchAll(wantedOfToolsDebs(toolsDeb, work.project.spec.tools), fetching)
    const tree = join(workDirectory, 'resolving-rpms')
    await rm(tree, { recursive: true, force: true })
    await writeDebTrees(toolsDeb, join(tree, 'tools/deb'), paths, await mirrorKey(paths.key), work)
    const root = await rpmPrograms(toolsDeb, tree, paths, work)
    const locked = await lockRpms(entries, {
      root,
      fetching,
      directory: workDirectory,
      kept,
      before,
    })
    for (const { name, packages } of locked) log.info(`${name}: ${packages.length} packages`)
    return locked
  })
}

/** What the base machine needs may come from any of the repositories: they are solved together. */
function withBase({ mirror, basebox }: Spec): Spec['mirror']['rpm'] {
  const [first, ...rest] = mirror.rpm
  if (!first || !basebox.bootstrap || familyOf({ mirror }) === 'deb') return mirror.rpm
  return [{ ...first, packages: [...rpmBasePackages(basebox.bootstrap), ...first.packages] }, ...rest]
}
