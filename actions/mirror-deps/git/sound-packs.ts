import { link, lstat, mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CommandFailed } from '../../lib/errors/error.ts'
import type { Digest, Lock } from '../../lib/lock/lock.ts'
import { promisedBy } from '../../lib/lock/promised.ts'
import { packPath } from '../../lib/mirror/store.ts'
import { verifiedOf } from '../fetch/present.ts'
import { objectsDigest } from './objects.ts'
import { Repository } from './repository.ts'

export interface PackOptions {
  /** On the file system of the packs, for a repository of a moment. */
  scratch: string
  signal: AbortSignal
}

/**
 * Whether a pack, from wherever, holds what the lock promises: every object checked by git, and the set of those that
 * the commit or tag leads to compared by its digest (DESIGN §6).
 */
export async function packHolds(
  pack: string,
  promised: { objects: Digest; root: string },
  { scratch, signal }: PackOptions,
): Promise<boolean> {
  const directory = join(scratch, `${promised.objects.slice(0, 12)}.git`)
  const placed = join(directory, `objects/pack/pack-${promised.objects.slice(0, 40)}.pack`)
  try {
    const repository = await Repository.init(directory, signal)
    await mkdir(dirname(placed), { recursive: true })
    await link(pack, placed)
    await repository.git(['index-pack', '--strict', placed])
    return (await objectsDigest(repository, promised.root)) === promised.objects
  } catch (error) {
    if (error instanceof CommandFailed) return false
    throw error
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/**
 * Packs that are not what the lock promises (a cache gave them, a disk changed them) or are not there at all. Those
 * that look as they did when they were last looked into are not looked into again.
 */
export async function unsoundPacks(
  lock: Lock,
  { store, verify, ...options }: PackOptions & { store: string; verify: boolean },
): Promise<{ damaged: Set<Digest>; absent: Set<Digest> }> {
  const verified = await verifiedOf(store)
  const [damaged, absent] = [new Set<Digest>(), new Set<Digest>()]
  for (const [objects, root] of promisedBy(lock).packs) {
    const pack = packPath(store, objects)
    const status = await lstat(pack).catch(() => undefined)
    if (!status) absent.add(objects)
    else if (!verify && status.isFile() && verified.vouchesFor(objects, status)) continue
    else if (status.isFile() && (await packHolds(pack, { objects, root }, options)))
      // Its time and mode may be others now; its bytes are not.
      verified.note(objects, await lstat(pack))
    else damaged.add(objects)
  }
  await rm(options.scratch, { recursive: true, force: true })
  await verified.write()
  return { damaged, absent }
}

/** Removes damaged packs, to be fetched again, and says which. */
export async function removeUnsoundPacks(
  lock: Lock,
  options: PackOptions & { store: string; verify: boolean },
): Promise<Set<Digest>> {
  const { damaged } = await unsoundPacks(lock, options)
  for (const objects of damaged) await rm(packPath(options.store, objects), { recursive: true, force: true })
  return damaged
}

/** Notes packs that have just been fetched, and checked on the way. */
export async function notePacks(store: string, packs: Iterable<Digest>): Promise<void> {
  const verified = await verifiedOf(store)
  for (const objects of packs) verified.note(objects, await lstat(packPath(store, objects)))
  await verified.write()
}
