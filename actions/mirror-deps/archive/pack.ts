import { createHash } from 'node:crypto'
import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CommandFailed } from '../../lib/errors/error.ts'
import type { Digest } from '../../lib/lock/lock.ts'
import { run } from '../../lib/process/command.ts'

/** Nothing of the user's configuration. */
const env = { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', GIT_ADVICE: '0' }

/**
 * Gives a pack its final name if it holds what the lock promises: every object checked by git, and the set of those
 * that the commit leads to compared by its digest (DESIGN §6). It is gone afterwards otherwise.
 *
 * @param scratch a folder on the file system of `pack`, for a repository of a moment
 */
export async function acceptPack(
  pack: string,
  promised: { objects: Digest; commit: string },
  to: string,
  { scratch, signal }: { scratch: string; signal: AbortSignal },
): Promise<boolean> {
  const repository = join(scratch, `${promised.objects.slice(0, 12)}.git`)
  const git = (args: string[]) => run('git', ['-C', repository, ...args], { env, signal, keep: 256 << 20 })
  const placed = join(repository, `objects/pack/pack-${promised.objects.slice(0, 40)}.pack`)
  try {
    await run('git', ['init', '-q', '--bare', '--template=', repository], { env, signal })
    await mkdir(dirname(placed), { recursive: true })
    await rename(pack, placed)
    await git(['index-pack', '--strict', placed])
    const listed = await git(['rev-list', '--objects', '--no-object-names', promised.commit])
    const ids = listed.stdout.split('\n').filter(Boolean).sort()
    const digest = createHash('sha256').update(ids.map((id) => `${id}\n`).join(''))
    if (digest.digest('hex') !== promised.objects) return false
    await mkdir(dirname(to), { recursive: true })
    await rename(placed, to)
    return true
  } catch (error) {
    if (error instanceof CommandFailed) return false
    throw error
  } finally {
    await rm(repository, { recursive: true, force: true })
    await rm(pack, { force: true })
  }
}
