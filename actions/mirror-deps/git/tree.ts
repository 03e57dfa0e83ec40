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
 * several are locked at one address (a submodule at two commits, two cookbooks from two branches), each has what all of
 * them need: whoever asks for that address may want any of them.
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
    for (const other of here) await take(repository, other, options)
    for (const [ref, object] of refsOf(one, here)) await repository.git(['update-ref', ref, object])
    await repository.git(['symbolic-ref', 'HEAD', headOf(one, here)])
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

/**
 * A tag as a tag, a branch as a branch. Of others at the address, what has neither or whose name is taken is a tag all
 * the same, since an ordinary client fetches branches and tags alone; a submodule is asked for by its commit.
 */
function refsOf(one: MirroredGit, here: readonly MirroredGit[]): Map<string, string> {
  const refs = new Map<string, string>()
  for (const { name, ref, commit, tag } of here) {
    const own = name === one.name
    const object = tag ?? commit
    const plain = ref && ref.kind !== 'commit' && `refs/${ref.kind === 'tag' ? 'tags' : 'heads'}/${ref.name}`
    if (plain && !refs.has(plain)) refs.set(plain, object)
    else if (!own && ![...refs.values()].includes(object))
      refs.set(`refs/${ref ? 'tags/' : ''}appliance/${name}`, object)
  }
  return refs.set(headOf(one, here), one.commit)
}

/** What HEAD names, so that it leads to the locked commit: its branch, or one that nobody else means by that name. */
function headOf({ name, ref }: MirroredGit, here: readonly MirroredGit[]): string {
  if (ref?.kind === 'branch') return `refs/heads/${ref.name}`
  const taken = here.some((other) => other.ref?.kind === 'branch' && other.ref.name === 'main')
  return taken ? `refs/heads/appliance/${name}` : 'refs/heads/main'
}

/** What says nothing of the objects but when it was made. */
async function settle({ directory }: Repository): Promise<void> {
  await rm(join(directory, 'FETCH_HEAD'), { force: true })
  await writeFile(join(directory, 'description'), '')
}
