import { createHash } from 'node:crypto'
import { copyFile, mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { ApplianceError, CommandFailed } from '../../lib/errors/error.ts'
import { type LockedGit, NOASSERTION } from '../../lib/lock/lock.ts'
import { packPath } from '../../lib/mirror/store.ts'
import { run } from '../../lib/process/command.ts'
import type { Spec } from '../../lib/spec/spec.ts'

export type GitEntry = Spec['mirror']['git'][number]

/** Nothing of the user's configuration, no hooks, no questions. */
const environment = {
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ADVICE: '0',
  // A path or a bundle of this computer may belong to another user.
  GIT_CONFIG_COUNT: '1',
  GIT_CONFIG_KEY_0: 'safe.directory',
  GIT_CONFIG_VALUE_0: '*',
}

interface GitOptions {
  store: string
  /** Emptied; for repositories in the making. */
  work: string
  signal: AbortSignal
}

/** Clones, resolves the ref to a commit, keeps exactly the objects reachable from it. */
export async function lockGit(entry: GitEntry, options: GitOptions): Promise<LockedGit> {
  const repository = await clone(entry.name, entry.path ?? entry.url, options)
  const commit = await commitOf(repository, entry, options)
  const objects = await keepObjects(repository, commit, options)
  return {
    name: entry.name,
    url: entry.url,
    ref: entry.ref,
    commit,
    objects,
    license: NOASSERTION,
    submodules: [],
  }
}

/** Brings the locked objects into the store. Returns the bytes fetched, 0 when they were there. */
export async function fetchGit(locked: LockedGit, directory: string, options: GitOptions): Promise<number> {
  const pack = packPath(options.store, locked.objects)
  if (await stat(pack).catch(() => undefined)) return 0
  const remote = /^[a-z+]+:\/\//.test(locked.url) || /^[^/]+@[^/]+:/.test(locked.url)
  const repository = await clone(locked.name, remote ? locked.url : resolve(directory, locked.url), options)
  if (!(await hasCommit(repository, locked.commit, options)))
    throw new ApplianceError(
      'gone',
      `git ${locked.name}: ${locked.url} no longer has commit ${locked.commit} (${locked.ref})`,
      {
        hint: 'Take the mirror from a cache or an archive, or lock again: appliance lock --update',
      },
    )
  const objects = await keepObjects(repository, locked.commit, options)
  if (objects !== locked.objects)
    throw new ApplianceError(
      'digest-mismatch',
      `git ${locked.name}: the objects of ${locked.commit} are not those the lock promises: expected ${locked.objects}, got ${objects}`,
    )
  return (await stat(pack)).size
}

/**
 * A bare repository for the tree, from the store: objects only, each checked, in a repository we initialise
 * (another's `config` and `hooks` could execute). Served over plain ("dumb") HTTP.
 */
export async function restoreGit(locked: LockedGit, repository: string, options: GitOptions): Promise<void> {
  await mkdir(dirname(repository), { recursive: true })
  await run('git', ['init', '-q', '--bare', '--template=', '--initial-branch=main', repository], {
    env: environment,
    signal: options.signal,
  })
  if (!(await isWhole(repository, locked, options))) {
    await rm(packPath(options.store, locked.objects), { force: true })
    throw new ApplianceError(
      'digest-mismatch',
      `git ${locked.name}: the mirror's objects are not those the lock promises; they are removed`,
      { hint: 'Run the same command again: it fetches them anew.' },
    )
  }
  await git(repository, ['update-ref', 'refs/heads/main', locked.commit], options)
  if (!/^[0-9a-f]{40}$/.test(locked.ref) && locked.ref !== 'main')
    await git(repository, ['update-ref', `refs/tags/${locked.ref}`, locked.commit], options)
  await git(repository, ['update-server-info'], options)
}

/** Every object checked by git, and the set of them against the lock. */
async function isWhole(repository: string, locked: LockedGit, options: GitOptions): Promise<boolean> {
  try {
    await indexPack(repository, locked, options)
    await git(repository, ['fsck', '--no-dangling', '--no-progress', locked.commit], options)
    return (await objectsDigest(repository, locked.commit, options)) === locked.objects
  } catch (error) {
    if (error instanceof CommandFailed) return false
    throw error
  }
}

async function clone(name: string, from: string, options: GitOptions): Promise<string> {
  const repository = join(options.work, `${name}.git`)
  await rm(repository, { recursive: true, force: true })
  try {
    await run('git', ['clone', '-q', '--bare', '--template=', '--no-hardlinks', '--', from, repository], {
      env: environment,
      signal: options.signal,
    })
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    throw new ApplianceError(
      'unreachable',
      `git ${name}: ${from} could not be cloned: ${error.stderrTail.trim().split('\n').at(-1)}`,
      {
        hint: 'Is the address right, and may this computer read it?',
        cause: error,
      },
    )
  }
  return repository
}

async function commitOf(
  repository: string,
  { name, url, ref }: GitEntry,
  options: GitOptions,
): Promise<string> {
  for (const candidate of [`refs/tags/${ref}`, `refs/heads/${ref}`, ref]) {
    const { status, stdout } = await run(
      'git',
      ['-C', repository, 'rev-parse', '-q', '--verify', '--end-of-options', `${candidate}^{commit}`],
      {
        env: environment,
        signal: options.signal,
        allowFailure: true,
      },
    )
    if (status === 0) return stdout.trim()
  }
  throw new ApplianceError('input', `git ${name}: ${url} has no tag, branch or commit ${ref}`)
}

/** Whether the commit is there; one that no branch leads to any more is asked for by its id, which some allow. */
async function hasCommit(repository: string, commit: string, options: GitOptions): Promise<boolean> {
  for (const ask of [false, true]) {
    const args = ask ? ['fetch', '-q', 'origin', commit] : ['cat-file', '-e', `${commit}^{commit}`]
    const { status } = await run('git', ['-C', repository, ...args], {
      env: environment,
      signal: options.signal,
      allowFailure: true,
    })
    if (status === 0) return true
  }
  return false
}

/** Packs the objects reachable from a commit into the store; returns their digest. */
async function keepObjects(repository: string, commit: string, options: GitOptions): Promise<string> {
  const digest = await objectsDigest(repository, commit, options)
  const pack = packPath(options.store, digest)
  await mkdir(dirname(pack), { recursive: true })
  const prefix = join(options.work, `pack-${digest.slice(0, 12)}`)
  const { stdout } = await run(
    'git',
    ['-C', repository, 'pack-objects', '-q', '--revs', '--threads=1', prefix],
    {
      env: environment,
      input: `${commit}\n`,
      signal: options.signal,
    },
  )
  await rename(`${prefix}-${stdout.trim()}.pack`, pack)
  return digest
}

/** SHA-256 over the sorted ids of all reachable objects, a newline after each (DESIGN §6). */
async function objectsDigest(repository: string, commit: string, options: GitOptions): Promise<string> {
  const { stdout } = await git(repository, ['rev-list', '--objects', '--no-object-names', commit], options)
  const ids = stdout.split('\n').filter(Boolean).sort()
  return createHash('sha256')
    .update(ids.map((id) => `${id}\n`).join(''))
    .digest('hex')
}

/** Over plain HTTP git looks at no pack whose name is not `pack-` and 40 hex digits; which ones does not matter. */
async function indexPack(repository: string, locked: LockedGit, options: GitOptions): Promise<void> {
  const placed = join(repository, `objects/pack/pack-${locked.objects.slice(0, 40)}.pack`)
  await copyFile(packPath(options.store, locked.objects), placed)
  await git(repository, ['index-pack', '--strict', placed], options)
}

function git(repository: string, args: string[], options: GitOptions) {
  return run('git', ['-C', repository, ...args], {
    env: environment,
    signal: options.signal,
    keep: 256 << 20,
  })
}
