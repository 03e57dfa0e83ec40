import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import { type LockedDebRepository, type LockedGemSource, NOASSERTION } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import { wantedOfRepository, wantedOfTools } from '../deb/source.ts'
import { type FetchOptions, fetchAll } from '../fetch/fetch.ts'
import type { GitOptions } from '../git/source.ts'
import { mirrorKey } from '../mirror-key.ts'
import { eachSource, type Resolver } from '../resolver.ts'
import { toolsRuby, writeDebTrees } from '../tree.ts'
import { licensesOf } from './licenses.ts'
import { type RubyRoot, rubyRoot } from './ruby-root.ts'
import { solveGems } from './solve.ts'
import { fullName, type GemEntry, gemDigests, gemUrl } from './source.ts'

/** Gems for the guest are resolved with the guest's Ruby, those for the tools with the tools'. */
export async function resolveGems(
  resolver: Resolver,
  deb: readonly LockedDebRepository[],
  toolsDeb: readonly LockedDebRepository[],
): Promise<LockedGemSource[]> {
  const { work, paths, there } = resolver
  const { log, signal, project } = work
  const fetching = {
    store: paths.store,
    sharedStore: paths.shared,
    log,
    signal,
    verify: false,
    ledger: resolver.ledger,
  }
  const tree = join(work.workDirectory, 'resolving')
  const root = rubyRoots(deb, toolsDeb, tree, fetching, resolver)
  const locked = there ? [...there.gem, ...there.tools.gem] : []
  return await eachSource('gem', project.spec.mirror.gem, locked, resolver, (entry) =>
    log.group(`resolving gems of ${entry.name}`, async () => {
      const git = { store: paths.store, work: work.workDirectory, signal }
      const source = await lockGems(entry, await root(entry.for), fetching, git)
      log.info(`${entry.name}: ${source.gems.length} gems`)
      return source
    }),
  )
}

/** The Rubies, each made when it is first asked for. */
function rubyRoots(
  deb: readonly LockedDebRepository[],
  toolsDeb: readonly LockedDebRepository[],
  tree: string,
  fetching: FetchOptions,
  { work, paths }: Resolver,
): (whose: LockedGemSource['for']) => Promise<RubyRoot> {
  const made = new Map<string, RubyRoot>()
  return async (whose) => {
    const which = rubyOf({ for: whose }, deb)
    const there = made.get(which)
    if (there) return there
    const repositories = which === 'guest' ? deb : toolsDeb
    if (which === 'guest' && !has(deb, 'ruby-bundler'))
      throw new ApplianceError(
        'input',
        "gem: the guest's packages have ruby, but not ruby-bundler, by which its gems are resolved",
        { hint: 'Add ruby-bundler to the packages of mirror.deb.' },
      )
    await fetchAll(repositories.flatMap(which === 'tools' ? wantedOfTools : wantedOfRepository), fetching)
    const folder = join(tree, which === 'guest' ? 'deb' : 'tools/deb')
    await writeDebTrees(repositories, folder, paths, await mirrorKey(paths.key), work)
    const options = { directory: paths.ruby, signal: work.signal }
    const root =
      which === 'guest'
        ? await rubyRoot(repositories, folder, options)
        : await toolsRuby(repositories, tree, paths, work)
    made.set(which, root)
    return root
  }
}

/** Whose Ruby gems are resolved for: a guest may have none of its packages, or bring its own. */
export function rubyOf(
  source: Pick<LockedGemSource, 'for'>,
  deb: readonly LockedDebRepository[],
): 'guest' | 'tools' {
  return source.for === 'guest' && has(deb, 'ruby') ? 'guest' : 'tools'
}

function has(deb: readonly LockedDebRepository[], wanted: string): boolean {
  return deb.some(({ packages }) => packages.some(({ name }) => name === wanted))
}

async function lockGems(
  entry: GemEntry,
  root: RubyRoot,
  fetching: FetchOptions,
  options: GitOptions,
): Promise<LockedGemSource> {
  const { gems: found, git } = await solveGems(entry, root, options)
  const solved = await gemDigests(entry.source, found, fetching.signal)
  // The compact index tells digests, not sizes; those show when the bytes are here.
  const wanted = solved.map((gem) => ({
    source: `gem ${entry.name}`,
    title: `gem ${fullName(gem)} of ${entry.name}`,
    urls: [gemUrl(entry.source, gem)],
    sha256: gem.sha256,
  }))
  await fetchAll(wanted, fetching)
  const licenses = await licensesOf(solved, root, options)
  const gems = await Promise.all(
    solved.map(async (gem) => ({
      ...gem,
      license: licenses.get(fullName(gem)) ?? NOASSERTION,
      size: (await stat(objectPath(fetching.store, gem.sha256))).size,
    })),
  )
  return { name: entry.name, source: entry.source, for: entry.for, gems, git }
}
