import { join } from 'node:path'
import type { Lock, LockedDebRepository } from '../../lib/lock/lock.ts'
import {
  basePackages,
  compilerPackages,
  rpmPackages,
  toolsPackages,
  xfsPackages,
} from '../../lib/mirror/packages.ts'
import type { Spec } from '../../lib/spec/spec.ts'
import { fetchAll } from '../fetch/fetch.ts'
import type { Resolver } from '../resolver.ts'
import { type DebGroup, explainGone } from './gone.ts'
import { withKept } from './kept.ts'
import { withLicences } from './licences.ts'
import { type DebSource, resolveDebs, wantedOfRepository, wantedOfTools } from './source.ts'

/** The appliance's packages, over all its repositories in one transaction. */
export async function resolveGuestDebs(resolver: Resolver): Promise<LockedDebRepository[]> {
  const { work, there, stays } = resolver
  const { basebox, mirror } = work.project.spec
  const sources: DebSource[] = mirror.deb
  if (sources.length === 0) return []
  const parts = ['basebox', ...sources.map(({ name }) => `deb ${name}`)]
  if (there && there.deb.length === sources.length && parts.every(stays)) return there.deb
  const base = basebox.bootstrap ? basePackages(basebox.bootstrap) : []
  const packages = [...new Set([...base, ...mirror.deb.flatMap((source) => source.packages)])]
  return await work.log.group('resolving packages', () =>
    solve('apt', sources, there?.deb ?? [], packages, resolver),
  )
}

/** The build tools' packages (DESIGN §6): none where nothing needs them. */
export async function resolveToolsDebs(resolver: Resolver): Promise<LockedDebRepository[]> {
  const { work, there, stays } = resolver
  const { spec } = work.project
  const packages = toolsPackagesOf(spec)
  if (packages.length === 0) return []
  const gemsStay = spec.mirror.gem.every(({ name }) => stays(`gem ${name}`))
  if (there && there.tools.deb.length > 0 && stays('tools') && stays('basebox') && gemsStay)
    return there.tools.deb
  const source = toolsSource(spec)
  return await work.log.group('resolving the build tools', () =>
    solve('apt-tools', [source], there?.tools.deb ?? [], packages, resolver),
  )
}

/** What the spec says the build tools come from. */
export function toolsSource({ tools }: Spec): DebSource {
  const { uri, suite, snapshot, signedBy } = tools
  return { name: 'tools', uri, suites: [suite], components: ['main'], signedBy, snapshot }
}

/** All Debian repositories of a lock, and what the spec says of them now. */
export function debGroups(lock: Lock, spec: Spec): DebGroup[] {
  return [
    { repositories: lock.deb, sources: spec.mirror.deb },
    { repositories: lock.tools.deb, sources: [toolsSource(spec)] },
  ]
}

function toolsPackagesOf({ basebox, mirror }: Spec): string[] {
  const rpm = mirror.rpm.length > 0
  if (!basebox.bootstrap && !basebox.definition && mirror.gem.length === 0 && !rpm) return []
  const compiles = mirror.gem.some((entry) => entry.for === 'tools')
  return [
    ...toolsPackages,
    ...(compiles ? compilerPackages : []),
    ...(rpm ? rpmPackages : []),
    ...(basebox.bootstrap?.filesystem === 'xfs' ? xfsPackages : []),
  ]
}

async function solve(
  folder: string,
  sources: readonly DebSource[],
  locked: readonly LockedDebRepository[],
  packages: readonly string[],
  resolver: Resolver,
): Promise<LockedDebRepository[]> {
  const { work, paths } = resolver
  const tools = folder === 'apt-tools'
  const resolved = await resolveDebs(await withKept(folder, sources, locked, resolver), packages, {
    directory: join(work.workDirectory, folder),
    store: paths.store,
    signal: work.signal,
  })
  for (const { name, packages: found } of resolved) work.log.info(`${name}: ${found.length} packages`)
  // Their licences are in the packages, which are needed next anyway.
  await fetchAll(resolved.flatMap(tools ? wantedOfTools : wantedOfRepository), {
    store: paths.store,
    sharedStore: paths.shared,
    log: work.log,
    signal: work.signal,
    verify: false,
    ledger: resolver.ledger,
  }).catch(async (error: unknown) => {
    throw await explainGone(error, [{ repositories: resolved, sources }], work)
  })
  return await withLicences(resolved, {
    store: paths.store,
    directory: join(work.workDirectory, `${folder}-licences`),
    signal: work.signal,
  })
}
