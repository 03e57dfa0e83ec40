import { join } from 'node:path'
import type { Lock, LockedCookbooks } from '../../lib/lock/lock.ts'
import { lockText } from '../../lib/lock/text.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import { type CookbookFile, cookbookFilesOf } from '../../lib/spec/cookbook-file.ts'
import { openToolsRoot } from '../../lib/tools/root.ts'
import type { ToolsRoot } from '../../lib/tools/tools.ts'
import { wantedOfTools } from '../deb/source.ts'
import { Credentials } from '../fetch/credentials.ts'
import { download } from '../fetch/download.ts'
import { fetchAll, partialsOf } from '../fetch/fetch.ts'
import { wantedOfGems } from '../gem/source.ts'
import { eachSource, type Resolver } from '../resolver.ts'
import { writeToolsTree } from '../tree.ts'
import { type SolvedCookbook, solveCookbooks } from './solve.ts'

/**
 * What the Berksfiles and Policyfiles of the steps need, by Berkshelf and chef-cli themselves, from the tools root: the
 * one that the later stages use is made here already, when there is something to solve.
 *
 * @param lock all the rest of it
 */
export async function resolveCookbooks(resolver: Resolver, lock: Lock): Promise<LockedCookbooks[]> {
  const { work, paths, there } = resolver
  const files = cookbookFilesOf(work.project.spec)
  let root: Promise<ToolsRoot> | undefined
  return await eachSource('cookbook', files, there?.cookbook ?? [], resolver, (file) =>
    work.log.group(`resolving the cookbooks of ${file.name}`, async () => {
      root ??= toolsRootOf(resolver, lock)
      const git = { store: paths.store, work: work.workDirectory, signal: work.signal }
      const { fromSupermarket, ...solved } = await solveCookbooks(file, await root, work.project, git)
      const cookbooks = []
      for (const one of fromSupermarket) cookbooks.push(await taken(one, file, resolver))
      const locked = { name: file.name, ...solved, cookbooks }
      work.log.info(
        `${file.name}: ${cookbooks.length + solved.fromGit.length + solved.local.length} cookbooks`,
      )
      return locked
    }),
  )
}

/** The tarball, into the store: a supermarket promises no digest, so it is locked as it is now. */
async function taken(
  { name, version, url }: SolvedCookbook,
  file: CookbookFile,
  { work, paths, ledger }: Resolver,
) {
  const { transferred, ...artefact } = await download(
    { title: `cookbook ${name} ${version} of ${file.name}`, urls: [url], locked: false },
    (sha256) => objectPath(paths.store, sha256),
    {
      signal: work.signal,
      partials: partialsOf(paths.store),
      credentials: new Credentials(process.env, (secret) => work.log.mask(secret)),
    },
  )
  ledger.note(`cookbooks of ${file.name}`, artefact, 'downloaded', transferred)
  return { name, version, url, ...artefact }
}

async function toolsRootOf({ work, paths, ledger }: Resolver, lock: Lock): Promise<ToolsRoot> {
  const { log, signal, project } = work
  await fetchAll([...lock.tools.deb.flatMap(wantedOfTools), ...lock.tools.gem.flatMap(wantedOfGems)], {
    store: paths.store,
    sharedStore: paths.shared,
    log,
    signal,
    verify: false,
    ledger,
  })
  const tree = join(work.workDirectory, 'solving')
  await writeToolsTree(lock, tree, paths, work)
  // In the order of the file, as the later stages will read it: the root is named by it.
  const written = JSON.parse(lockText(lock)) as Lock
  return await openToolsRoot({ ...work, project: { ...project, lock: written } }, tree)
}
