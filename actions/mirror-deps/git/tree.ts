import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError, CommandFailed } from '../../lib/errors/error.ts'
import { type MirroredGit, sameAddress } from '../../lib/lock/repositories.ts'
import { packPath } from '../../lib/mirror/store.ts'
import { objectsDigest, takePack } from './objects.ts'
import { Repository } from './repository.ts'
import type { GitOptions } from './source.ts'

/**
 * Bare repositories for the tree, `<name>.git` each, from the store: objects only, each checked, in repositories we
 * initialise (another's `config` and `hooks` could execute). Served by git itself and as plain files alike. Where
 * several are locked at one address (a submodule at two commits), each has what all of them need: whoever asks for
 * that address may want any of them.
 *
 * @throws ApplianceError `digest-mismatch`; the bad pack is gone then
 */
export async function writeGitRepositories(
  repositories: readonly MirroredGit[],
  directory: string,
  options: Pick<GitOptions, 'store' | 'signal'>,
): Promise<void> {
  for (const one of repositories) {
    const repository = await Repository.init(join(directory, `${one.name}.git`), options.signal)
    const here = [one, ...repositories.filter((other) => other !== one && sameAddress(other, one))]
    for (const other of here) {
      await take(repository, other, options)
      await setRefs(repository, other, other === one)
    }
    await repository.git(['pack-refs', '--all'])
    await repository.git(['update-server-info'])
    await settle(repository)
  }
}

async function take(
  repository: Repository,
  one: MirroredGit,
  options: Pick<GitOptions, 'store'>,
): Promise<void> {
  if (await isWhole(repository, one, options.store)) return
  await rm(packPath(options.store, one.objects), { force: true })
  throw new ApplianceError(
    'digest-mismatch',
    `git ${one.name}: the mirror's objects are not those the lock promises; they are removed`,
    { hint: 'Run the same command again: it fetches them anew.' },
  )
}

/** Every object checked by git, and the set of them against the lock. */
async function isWhole(repository: Repository, one: MirroredGit, store: string): Promise<boolean> {
  const root = one.tag ?? one.commit
  try {
    await takePack(repository, store, one.objects)
    await repository.git(['fsck', '--no-dangling', '--no-progress', root])
    return (await objectsDigest(repository, root)) === one.objects
  } catch (error) {
    if (error instanceof CommandFailed) return false
    throw error
  }
}

/** A tag as a tag, a branch as a branch; and whatever it is, HEAD leads to the locked commit. */
async function setRefs(
  repository: Repository,
  { name, ref, commit, tag }: MirroredGit,
  own: boolean,
): Promise<void> {
  if (own) await repository.git(['update-ref', 'refs/heads/main', commit])
  if (ref?.kind === 'tag') await repository.git(['update-ref', `refs/tags/${ref.name}`, tag ?? commit])
  else if (ref?.kind === 'branch' && own) {
    await repository.git(['update-ref', `refs/heads/${ref.name}`, commit])
    await repository.git(['symbolic-ref', 'HEAD', `refs/heads/${ref.name}`])
    if (ref.name !== 'main') await repository.git(['update-ref', '-d', 'refs/heads/main'])
  } else if (!own) await repository.git(['update-ref', `refs/appliance/${name}`, commit])
}

/** What says nothing of the objects but when it was made. */
async function settle({ directory }: Repository): Promise<void> {
  await rm(join(directory, 'FETCH_HEAD'), { force: true })
  await writeFile(join(directory, 'description'), '')
}
