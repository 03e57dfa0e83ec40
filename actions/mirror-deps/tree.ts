import { link, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import type { Lock, LockedDebRepository } from '../lib/lock/lock.ts'
import { gitRepositoriesIn } from '../lib/lock/repositories.ts'
import { cookbookInTree, cookbooksIn } from '../lib/mirror/cookbook-in-tree.ts'
import { fileInTree } from '../lib/mirror/file-in-tree.ts'
import { objectPath } from '../lib/mirror/store.ts'
import type { StageWork } from '../lib/stage/stage.ts'
import { writeDebRepository, writeWholeRepository } from './deb/tree.ts'
import { type RubyRoot, rubyRoot } from './gem/ruby-root.ts'
import { writeGemSource } from './gem/tree.ts'
import { writeGitRepositories } from './git/tree.ts'
import { type MirrorKey, mirrorKey } from './mirror-key.ts'
import { type MirrorPaths, mirrorPaths } from './paths.ts'
import { writeRpmTrees } from './rpm/tree.ts'
import { recordTree } from './tree-record.ts'

/** Name of the mirror's public key in the tree's deb folder. */
export const PUBLIC_KEY = 'appliance-mirror.gpg'

/** Whether the mirror has anything that it signs itself. */
export function signs({ deb, tools }: Lock): boolean {
  return deb.length + tools.deb.length > 0
}

/** Makes the whole tree anew from lock and store, by hard links; the old one is there until the new one is whole. */
export async function writeTree(lock: Lock, work: StageWork): Promise<void> {
  const paths = mirrorPaths(work)
  const fresh = join(work.workDirectory, 'tree')
  await rm(fresh, { recursive: true, force: true })
  await mkdir(fresh, { recursive: true })
  if (signs(lock)) {
    const key = await mirrorKey(paths.key)
    await writeDebTrees(lock.deb, join(fresh, 'deb'), paths, key, work)
    await writeDebTrees(lock.tools.deb, join(fresh, 'tools/deb'), paths, key, work)
  }
  await writeRpmTrees(lock, fresh, paths, work)
  const { store } = paths
  await writeGitRepositories(gitRepositoriesIn(lock), join(fresh, 'git'), { store, signal: work.signal })
  const files = [
    ...lock.file.map((file) => [fileInTree('file', file), file] as const),
    ...lock.iso.map((file) => [fileInTree('iso', file), file] as const),
    ...cookbooksIn(lock).map((cookbook) => [cookbookInTree(cookbook), cookbook] as const),
  ]
  for (const [place, file] of files) {
    const to = join(fresh, place)
    await mkdir(dirname(to), { recursive: true })
    await link(objectPath(paths.store, file.sha256), to)
  }
  const gems = [
    ...lock.gem.map((source) => ['gem', source] as const),
    ...lock.tools.gem.map((source) => ['tools/gem', source] as const),
  ]
  if (gems.length > 0) {
    const root = await toolsRuby(lock.tools.deb, fresh, paths, work)
    for (const [folder, source] of gems)
      await writeGemSource(source, join(fresh, folder, source.name), paths.store, root, work.signal)
  }
  const old = join(work.workDirectory, 'old-tree')
  await rename(paths.tree, old).catch(() => {})
  await rename(fresh, paths.tree)
  await recordTree(paths.tree)
  await rm(old, { recursive: true, force: true })
}

/** Repositories side by side, and the key that signed them. */
export async function writeDebTrees(
  repositories: readonly LockedDebRepository[],
  directory: string,
  { store }: MirrorPaths,
  key: MirrorKey,
  work: Pick<StageWork, 'signal'>,
): Promise<void> {
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, PUBLIC_KEY), key.publicKey)
  const written: [LockedDebRepository, string[]][] = []
  for (const repository of repositories) {
    const to = join(directory, repository.name)
    written.push([repository, await writeDebRepository(repository, to, store, key, work.signal)])
  }
  await writeWholeRepository(written, directory, key)
}

/** What the tools root is made of: their packages and gems, below `tree`. */
export async function writeToolsTree(
  { tools }: Lock,
  tree: string,
  paths: MirrorPaths,
  work: Pick<StageWork, 'signal'>,
): Promise<void> {
  await writeDebTrees(tools.deb, join(tree, 'tools/deb'), paths, await mirrorKey(paths.key), work)
  const root = await toolsRuby(tools.deb, tree, paths, work)
  for (const source of tools.gem)
    await writeGemSource(source, join(tree, 'tools/gem', source.name), paths.store, root, work.signal)
}

/** The tools' Ruby, from the tools' part of a tree. */
export async function toolsRuby(
  repositories: readonly LockedDebRepository[],
  tree: string,
  paths: MirrorPaths,
  work: Pick<StageWork, 'signal'>,
): Promise<RubyRoot> {
  if (repositories.length === 0)
    throw new ApplianceError('internal', 'gems need the tools, and the lock has none')
  return await rubyRoot(repositories, join(tree, 'tools/deb'), { directory: paths.ruby, signal: work.signal })
}
