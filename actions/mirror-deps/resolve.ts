import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { lockKey } from '../lib/lock/file.ts'
import type { Lock, LockedDebRepository, LockedGemSource } from '../lib/lock/lock.ts'
import { baseboxPackages, compilerPackages, toolsPackages } from '../lib/mirror/packages.ts'
import { objectPath } from '../lib/mirror/store.ts'
import type { Spec } from '../lib/spec/spec.ts'
import type { StageWork } from '../lib/stage/stage.ts'
import { type DebSource, resolveDebs, wantedOfRepository } from './deb/source.ts'
import { fetchAll } from './fetch/fetch.ts'
import { lockFile } from './file/source.ts'
import { type RubyRoot, rubyRoot } from './gem/ruby-root.ts'
import { fullName, type GemEntry, gemDigests, gemUrl, resolveGems } from './gem/source.ts'
import { lockGit } from './git/source.ts'
import { mirrorKey } from './mirror-key.ts'
import { type MirrorPaths, mirrorPaths } from './paths.ts'
import { toolsRuby, writeDebTrees } from './tree.ts'

/**
 * Resolves everything the spec names, with each ecosystem's own solver. What it downloads stays in the store.
 *
 * @param onDownload told how many bytes of artefacts were downloaded, now and then
 */
export async function resolveLock(
  work: StageWork,
  onDownload: (bytes: number) => void = () => {},
): Promise<Lock> {
  const { project, log, signal } = work
  const { spec } = project
  const paths = mirrorPaths(work)
  await mkdir(paths.store, { recursive: true })
  await mkdir(work.workDirectory, { recursive: true })

  const deb = await log.group('resolving packages', () => resolveGuest(spec, paths, work))
  const needsTools = spec.basebox.bootstrap !== undefined || spec.mirror.gem.length > 0
  const toolsDeb = needsTools
    ? await log.group('resolving the build tools', () => resolveTools(spec, paths, work))
    : []
  const gems =
    spec.mirror.gem.length === 0
      ? []
      : await log.group('resolving gems', () => resolveAllGems(spec, deb, toolsDeb, paths, work, onDownload))
  const git = []
  for (const entry of spec.mirror.git)
    git.push(await lockGit(entry, { store: paths.store, work: work.workDirectory, signal }))
  const file = []
  for (const entry of spec.mirror.file) file.push(await lockFile(entry, paths.store, signal, onDownload))

  return {
    schema: 1,
    arch: 'amd64',
    for: await lockKey(spec),
    deb,
    gem: gems.filter(({ for: whom }) => whom !== 'tools'),
    git,
    file,
    tools: { deb: toolsDeb, gem: gems.filter(({ for: whom }) => whom === 'tools') },
  }
}

async function resolveGuest(spec: Spec, paths: MirrorPaths, work: StageWork): Promise<LockedDebRepository[]> {
  const sources: DebSource[] = spec.mirror.deb
  if (sources.length === 0) return []
  const base = spec.basebox.bootstrap ? [...baseboxPackages, ...spec.basebox.bootstrap.packages] : []
  const packages = [...new Set([...base, ...spec.mirror.deb.flatMap((source) => source.packages)])]
  const resolved = await resolveDebs(sources, packages, {
    directory: join(work.workDirectory, 'apt'),
    store: paths.store,
    signal: work.signal,
  })
  report(resolved, work)
  return resolved
}

async function resolveTools(spec: Spec, paths: MirrorPaths, work: StageWork): Promise<LockedDebRepository[]> {
  const { uri, suite, snapshot, signedBy } = spec.tools
  const source = { name: 'tools', uri, suites: [suite], components: ['main'], signedBy, snapshot }
  const compiles = spec.mirror.gem.some((entry) => entry.for === 'tools')
  const packages = [...toolsPackages, ...(compiles ? compilerPackages : [])]
  const resolved = await resolveDebs([source], packages, {
    directory: join(work.workDirectory, 'apt-tools'),
    store: paths.store,
    signal: work.signal,
  })
  report(resolved, work)
  return resolved
}

function report(repositories: readonly LockedDebRepository[], { log }: StageWork): void {
  for (const { name, packages } of repositories) log.info(`${name}: ${packages.length} packages`)
}

/** Gems for the guest are resolved with the guest's Ruby, those for the tools with the tools'. */
async function resolveAllGems(
  spec: Spec,
  deb: readonly LockedDebRepository[],
  toolsDeb: readonly LockedDebRepository[],
  paths: MirrorPaths,
  work: StageWork,
  onDownload: (bytes: number) => void,
): Promise<LockedGemSource[]> {
  const { log, signal } = work
  const fetching = { store: paths.store, sharedStore: paths.shared, log, signal, verify: false }
  onDownload(await fetchAll([...deb, ...toolsDeb].flatMap(wantedOfRepository), fetching))
  const tree = join(work.workDirectory, 'resolving')
  const key = await mirrorKey(paths.key)
  await writeDebTrees(toolsDeb, join(tree, 'tools/deb'), paths, key, work)
  const tools = await toolsRuby(toolsDeb, tree, paths, work)
  let guest: RubyRoot | undefined
  const guestRuby = async () => {
    if (!deb.some(({ packages }) => packages.some(({ name }) => name === 'ruby'))) return tools
    await writeDebTrees(deb, join(tree, 'deb'), paths, key, work)
    return await rubyRoot(deb, join(tree, 'deb'), { directory: paths.ruby, signal })
  }
  const sources: LockedGemSource[] = []
  for (const entry of spec.mirror.gem) {
    guest ??= entry.for === 'guest' ? await guestRuby() : undefined
    sources.push(await lockGems(entry, entry.for === 'guest' ? guest! : tools, fetching, onDownload))
    log.info(`${entry.name}: ${sources.at(-1)!.gems.length} gems`)
  }
  return sources
}

async function lockGems(
  entry: GemEntry,
  root: RubyRoot,
  fetching: Parameters<typeof fetchAll>[1],
  onDownload: (bytes: number) => void,
): Promise<LockedGemSource> {
  const solved = await gemDigests(
    entry.source,
    await resolveGems(entry, root, fetching.signal),
    fetching.signal,
  )
  // The compact index tells digests, not sizes; those show when the bytes are here.
  const wanted = solved.map((gem) => ({
    title: `gem ${fullName(gem)} of ${entry.name}`,
    urls: [gemUrl(entry.source, gem)],
    sha256: gem.sha256,
  }))
  onDownload(await fetchAll(wanted, fetching))
  const gems = await Promise.all(
    solved.map(async (gem) => ({ ...gem, size: (await stat(objectPath(fetching.store, gem.sha256))).size })),
  )
  return { name: entry.name, source: entry.source, for: entry.for, gems }
}
