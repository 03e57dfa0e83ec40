import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CommandFailed } from '../../lib/errors/error.ts'
import { exists } from '../../lib/files/exists.ts'
import type { LockedGit } from '../../lib/lock/lock.ts'
import { gitRepositoriesOf } from '../../lib/lock/repositories.ts'
import { gitRewrites } from '../../lib/mirror/git-rewrites.ts'
import { serveTree } from '../../lib/mirror/serve.ts'
import { packPath } from '../../lib/mirror/store.ts'
import { run } from '../../lib/process/command.ts'
import type { ProofOptions } from '../proof/proof.ts'
import { environment } from './repository.ts'
import { packHolds } from './sound-packs.ts'

/**
 * Proves a git source: every object again against the lock, and that `git clone --recursive` gives the locked commit
 * and those of its submodules from the mirror's tree alone. Returns what is wrong, a line each.
 *
 * @param all git sources of the lock: a submodule may be one of them
 */
export async function proveGit(
  source: LockedGit,
  all: readonly LockedGit[],
  { paths, work: { workDirectory, signal } }: ProofOptions,
): Promise<string[]> {
  const scratch = join(workDirectory, 'git-proof')
  await mkdir(scratch, { recursive: true })
  try {
    const unsound: string[] = []
    for (const { name, objects, commit, tag } of gitRepositoriesOf(source)) {
      const pack = packPath(paths.store, objects)
      const options = { scratch: join(scratch, 'packs'), signal }
      if (!(await exists(pack)) || !(await packHolds(pack, { objects, root: tag ?? commit }, options)))
        unsound.push(`git ${name}: the mirror's objects are not those that the lock names`)
    }
    if (unsound.length > 0) return unsound
    await using server = await serveTree(paths.tree, '127.0.0.1', 0)
    const wrong = await wrongClone(source, server.url, all, scratch, signal)
    return wrong === undefined ? [] : [`git ${source.name}: ${wrong}`]
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** What is wrong with a clone of the source; undefined: nothing. */
async function wrongClone(
  source: LockedGit,
  mirrorUrl: string,
  all: readonly LockedGit[],
  scratch: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const clone = join(scratch, source.name)
  const config = gitRewrites(all, mirrorUrl).flatMap(({ from, to }) => ['-c', `url.${to}.insteadOf=${from}`])
  const address = `${mirrorUrl}/git/${source.name}.git`
  const git = async (...args: string[]) => (await run('git', args, { env: environment, signal })).stdout
  try {
    await git(...config, 'clone', '-q', '--recursive', address, clone)
    const commits = [
      [clone, source.commit] as const,
      ...source.submodules.map((inner) => [join(clone, inner.path), inner.commit] as const),
    ]
    for (const [folder, commit] of commits) {
      const got = (await git('-C', folder, 'rev-parse', 'HEAD')).trim()
      if (got !== commit) return `a clone gives ${got} where the lock has ${commit}`
    }
    return undefined
  } catch (error) {
    if (error instanceof CommandFailed)
      return `cannot be cloned from the mirror: ${error.stderrTail.trim().split('\n').at(-1)}`
    throw error
  }
}
