import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import { exists } from '../../lib/files/exists.ts'
import type { LockedGit } from '../../lib/lock/lock.ts'
import type { MirroredGit } from '../../lib/lock/repositories.ts'
import type { Log } from '../../lib/log/log.ts'
import { packPath } from '../../lib/mirror/store.ts'
import { isRemote } from '../../lib/spec/mirror/git.ts'
import type { Spec } from '../../lib/spec/spec.ts'
import { refuseLargeFiles } from './large-files.ts'
import { licenseOf } from './license.ts'
import { keepObjects } from './objects.ts'
import { lockSubmodules } from './submodules.ts'
import { Upstream } from './upstream.ts'

/** `commit`: the one that a lock (`wantedBy`; a Gemfile's) wants, wherever `ref` leads by now. */
export type GitEntry = Pick<Spec['mirror']['git'][number], 'name' | 'url' | 'ref' | 'path'> & {
  commit?: string
  wantedBy?: string
}

export interface GitOptions {
  store: string
  /** For repositories in the making. */
  work: string
  signal: AbortSignal
}

/** Resolves the ref to a commit, keeps exactly the objects reachable from it, and those of its submodules. */
export async function lockGit(entry: GitEntry, options: GitOptions): Promise<LockedGit> {
  const { name, url, ref } = entry
  const from = entry.path ?? url
  if (!isRemote(from) && !(await exists(from)))
    throw new ApplianceError('input', `git ${name}: there is no ${from}`, {
      hint: 'Put it back, or correct the url; what was locked before stays good without it.',
    })
  const upstream = await Upstream.open(name, from, options.work, options.signal)
  const found = await upstream.fetch(ref)
  const { kind } = found
  const commit = entry.commit === undefined || entry.commit === found.tag ? found.commit : entry.commit
  const tag = commit === found.commit ? found.tag : undefined
  if (commit !== found.commit && !(await upstream.fetchCommit(commit)))
    throw new ApplianceError(
      'gone',
      `git ${name}: ${url} has no commit ${commit}, which ${entry.wantedBy ?? 'Gemfile.lock'} wants (${ref})`,
      {
        hint: entry.wantedBy
          ? 'Have that lock written anew, and lock again.'
          : 'Run `bundle update` for that gem, and lock again.',
      },
    )
  await refuseLargeFiles(upstream.here, commit, name)
  const kept = await keepObjects(upstream.here, tag ?? commit, options)
  return {
    name,
    url,
    ref,
    kind,
    commit,
    ...(tag ? { tag } : {}),
    ...kept,
    license: await licenseOf(upstream.here, commit),
    submodules: await lockSubmodules(upstream.here, { name, url, from, commit }, options),
  }
}

/**
 * Brings the objects of a locked repository into the store. Returns the bytes fetched, 0 when they were there.
 *
 * @param directory where relative paths begin
 * @throws ApplianceError `gone`, saying what upstream has now; `digest-mismatch`; `unreachable`
 */
export async function fetchGit(
  wanted: MirroredGit,
  directory: string,
  options: GitOptions & { log?: Log },
): Promise<number> {
  const { name, url, ref, commit, tag } = wanted
  const pack = packPath(options.store, wanted.objects)
  if (await stat(pack).catch(() => undefined)) return 0
  const from = isRemote(url) ? url : resolve(directory, url)
  if (!isRemote(url) && !(await exists(from)))
    throw new ApplianceError(
      'gone',
      `git ${name}: there is no ${from} any more, and nothing else has commit ${commit}`,
      { hint: `Take the mirror from a cache or an archive (--from-archive), or put ${url} back.` },
    )
  const upstream = await Upstream.open(name, from, options.work, options.signal)
  const there = tag ? await upstream.fetchTag(tag) : await upstream.fetchCommit(commit)
  const now = ref && ref.kind !== 'commit' ? await upstream.now(ref.name) : commit
  if (!there) throw gone(wanted, now)
  if (ref?.kind === 'tag' && now !== commit)
    options.log?.warn(`git ${name}: ${movedTag(wanted, now)}; the locked commit is taken`)
  const { objects } = await keepObjects(upstream.here, tag ?? commit, options)
  if (objects !== wanted.objects)
    throw new ApplianceError(
      'digest-mismatch',
      `git ${name}: the objects of ${commit} are not those the lock promises: expected ${wanted.objects}, got ${objects}`,
    )
  return (await stat(pack)).size
}

function gone(wanted: MirroredGit, now: string | undefined): ApplianceError {
  const { name, url, ref, commit } = wanted
  const moved = ref?.kind === 'tag' && now !== commit ? `; ${movedTag(wanted, now)}` : ''
  const wants = ref && ref.kind !== 'commit' ? ` (${ref.kind} ${ref.name})` : ''
  return new ApplianceError('gone', `git ${name}: ${url} no longer has commit ${commit}${wants}${moved}`, {
    hint: `Take the mirror from a cache or an archive, or lock again: appliance lock --update ${name}`,
  })
}

function movedTag({ ref, commit }: MirroredGit, now: string | undefined): string {
  const to = now === undefined ? 'is no longer there' : `leads to ${now} now`
  return `its tag ${ref?.name} was ${commit} when it was locked, and ${to}`
}
