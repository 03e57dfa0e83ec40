import { mkdir, stat } from 'node:fs/promises'
import { refuse } from '../lib/errors/fault.ts'
import { nearest } from '../lib/errors/nearest.ts'
import type { Lock, LockedGit } from '../lib/lock/lock.ts'
import { lockParts } from '../lib/lock/parts.ts'
import { gitRepositoriesOf } from '../lib/lock/repositories.ts'
import { packPath } from '../lib/mirror/store.ts'
import { cookbookFilesOf } from '../lib/spec/cookbook-file.ts'
import { namedSources } from '../lib/spec/mirror/mirror.ts'
import type { Spec } from '../lib/spec/spec.ts'
import type { StageWork } from '../lib/stage/stage.ts'
import { lockArchive } from './archive/source.ts'
import { Attempts } from './attempts.ts'
import { resolveCookbooks } from './cookbook/resolve.ts'
import { resolveGuestDebs, resolveToolsDebs } from './deb/resolve.ts'
import { Ledger } from './fetch/ledger.ts'
import { type FileKind, fetchPromised, lockFile, noteHashed, requireSecrets } from './file/source.ts'
import { resolveGems } from './gem/resolve.ts'
import { lockGit } from './git/source.ts'
import { mirrorPaths } from './paths.ts'
import { eachSource, type Resolver } from './resolver.ts'
import { resolveRpms } from './rpm/resolve.ts'

export interface ResolveOptions {
  /** The lock so far; what fits the spec in it stays. */
  there: Lock | undefined
  /** Names of sources to resolve again although they fit, or `all`. */
  anew: readonly string[] | 'all'
  /** Told of every artefact. */
  ledger?: Ledger
}

/**
 * Resolves what the spec names, with each ecosystem's own solver; what it downloads stays in the store. Parts of the
 * lock that fit the spec stay as they are, unless they are to be resolved anew.
 *
 * @throws ApplianceError with what is wrong with every source that has failed, a line each
 */
export async function resolveLock(work: StageWork, options: ResolveOptions): Promise<Lock> {
  const { spec } = work.project
  const { there, anew, ledger = new Ledger() } = options
  const parts = await lockParts(spec)
  const paths = mirrorPaths(work)
  await mkdir(paths.store, { recursive: true })
  await mkdir(work.workDirectory, { recursive: true })
  const asked = (name: string) => anew === 'all' || anew.includes(name)
  const attempts = new Attempts()
  const resolver: Resolver = {
    work,
    attempts,
    paths,
    there,
    ledger,
    asked,
    stays: (part) =>
      there !== undefined && there.for[part] === parts[part] && !asked(part.replace(/^\S+ /, '')),
  }
  requireSecrets(spec.mirror, resolver.stays)
  const deb = await attempts.of(() => resolveGuestDebs(resolver))
  const toolsDeb = await attempts.of(() => resolveToolsDebs(resolver))
  // Gems are resolved by a Ruby, and RPMs by a dnf, of these packages.
  const gems = deb && toolsDeb ? await resolveGems(resolver, deb, toolsDeb) : []
  const promised = await attempts.of(() => fetchPromised(resolver))
  const rpm = toolsDeb && (await attempts.of(() => resolveRpms(resolver, toolsDeb)))
  const settings = { store: paths.store, work: work.workDirectory, signal: work.signal }
  const git = await eachSource('git', spec.mirror.git, there?.git ?? [], resolver, async (entry) =>
    noted(await lockGit(entry, settings), resolver),
  )
  const filesOf = (kind: FileKind) => {
    // Of those that were promised it is known by now that they are not all to be had.
    const entries = spec.mirror[kind].filter(({ sha256 }) => promised || sha256 === undefined)
    return eachSource(kind, entries, there?.[kind] ?? [], resolver, (entry) =>
      lockFile(kind, entry, resolver),
    )
  }
  const [file, iso] = [await filesOf('file'), await filesOf('iso')]
  const archive = await attempts.of(() => archiveOf(resolver))
  attempts.refuse()
  const lock: Lock = {
    schema: 1,
    arch: 'amd64',
    for: parts,
    ...archive,
    deb: deb!,
    rpm: rpm!,
    gem: gems.filter(({ for: whom }) => whom !== 'tools'),
    git,
    file,
    iso,
    tools: { deb: toolsDeb!, gem: gems.filter(({ for: whom }) => whom === 'tools') },
  }
  const cookbook = await resolveCookbooks(resolver, lock)
  attempts.refuse()
  if (cookbook.length > 0) lock.cookbook = cookbook
  await noteHashed(resolver)
  return lock
}

/** A repository just fetched, and its submodules, in the summary. */
async function noted(git: LockedGit, { paths, ledger }: Resolver): Promise<LockedGit> {
  for (const { objects } of gitRepositoriesOf(git)) {
    const { size } = await stat(packPath(paths.store, objects))
    ledger.note(`git ${git.name}`, { sha256: objects, size }, 'downloaded', size)
  }
  return git
}

async function archiveOf({ work, there, stays }: Resolver): Promise<Pick<Lock, 'archive'>> {
  const { archive } = work.project.spec.mirror
  if (archive === undefined) return {}
  if (there?.archive && stays('archive')) return { archive: there.archive }
  return { archive: await lockArchive(archive, work) }
}

/** Refuses names to be resolved anew that are no source's. */
export function refuseUnknown(anew: ResolveOptions['anew'], spec: Spec): void {
  if (anew === 'all') return
  const known = [
    'tools',
    ...namedSources.flatMap((kind) => spec.mirror[kind].map(({ name }) => name)),
    ...cookbookFilesOf(spec).map(({ name }) => name),
  ]
  const unknown = anew.filter((name) => !known.includes(name))
  refuse(
    unknown.map((name) => {
      const near = nearest(name, known)
      const guess = near ? `did you mean ${near}?` : `there are ${known.join(', ')}`
      return { message: `update: there is no source ${name}; ${guess}` }
    }),
  )
}
