import { createHash } from 'node:crypto'
import { copyFile, mkdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Digest } from '../../lib/lock/lock.ts'
import { packPath } from '../../lib/mirror/store.ts'
import type { Repository } from './repository.ts'

/** SHA-256 over the sorted ids of all objects that `root` leads to, a newline after each (DESIGN §6). */
export async function objectsDigest(repository: Repository, root: string): Promise<Digest> {
  return digestOf(await idsFrom(repository, root))
}

/** Sorted. */
async function idsFrom(repository: Repository, root: string): Promise<string[]> {
  const listed = await repository.git(['rev-list', '--objects', '--no-object-names', root])
  const ids = new Set(listed.split('\n').filter(Boolean))
  // rev-list follows an annotated tag, but does not name it.
  ids.add(root)
  return [...ids].sort()
}

function digestOf(ids: readonly string[]): Digest {
  return createHash('sha256')
    .update(ids.map((id) => `${id}\n`).join(''))
    .digest('hex')
}

/** What a lock says of a repository's objects. */
export interface KeptObjects {
  objects: Digest
  /** Bytes of all of them, before compression: unlike a pack's, the same whichever git has packed them. */
  size: number
}

/** Packs the objects that `root` (a commit, or an annotated tag) leads to into the store. */
export async function keepObjects(
  repository: Repository,
  root: string,
  { store, work }: { store: string; work: string },
): Promise<KeptObjects> {
  const ids = await idsFrom(repository, root)
  const digest = digestOf(ids)
  const sizes = await repository.git(['cat-file', '--batch-check=%(objectsize)'], `${ids.join('\n')}\n`)
  const pack = packPath(store, digest)
  await mkdir(dirname(pack), { recursive: true })
  const prefix = join(work, `pack-${digest.slice(0, 12)}`)
  const name = await repository.git(
    ['pack-objects', '-q', '--revs', '--threads=1', '--no-reuse-delta', '--no-reuse-object', prefix],
    `${root}\n`,
  )
  await rename(`${prefix}-${name.trim()}.pack`, pack)
  return { objects: digest, size: sizes.split('\n').reduce((sum, size) => sum + Number(size), 0) }
}

/**
 * Copies a pack of the store into a repository and has git check every object in it. Over plain HTTP git looks at no
 * pack whose name is not `pack-` and 40 hex digits; which ones does not matter.
 */
export async function takePack(repository: Repository, store: string, objects: Digest): Promise<void> {
  const placed = join(repository.directory, `objects/pack/pack-${objects.slice(0, 40)}.pack`)
  await copyFile(packPath(store, objects), placed)
  await repository.git(['index-pack', '--strict', placed])
}
