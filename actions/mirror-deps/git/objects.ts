import { createHash } from 'node:crypto'
import { copyFile, mkdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Digest } from '../../lib/lock/lock.ts'
import { packPath } from '../../lib/mirror/store.ts'
import type { Repository } from './repository.ts'

/** SHA-256 over the sorted ids of all objects that `root` leads to, a newline after each (DESIGN §6). */
export async function objectsDigest(repository: Repository, root: string): Promise<Digest> {
  const listed = await repository.git(['rev-list', '--objects', '--no-object-names', root])
  const ids = new Set(listed.split('\n').filter(Boolean))
  // rev-list follows an annotated tag, but does not name it.
  ids.add(root)
  const sorted = [...ids].sort()
  return createHash('sha256')
    .update(sorted.map((id) => `${id}\n`).join(''))
    .digest('hex')
}

/** Packs the objects that `root` (a commit, or an annotated tag) leads to into the store; returns their digest. */
export async function keepObjects(
  repository: Repository,
  root: string,
  { store, work }: { store: string; work: string },
): Promise<Digest> {
  const digest = await objectsDigest(repository, root)
  const pack = packPath(store, digest)
  await mkdir(dirname(pack), { recursive: true })
  const prefix = join(work, `pack-${digest.slice(0, 12)}`)
  const name = await repository.git(
    ['pack-objects', '-q', '--revs', '--threads=1', '--no-reuse-delta', '--no-reuse-object', prefix],
    `${root}\n`,
  )
  await rename(`${prefix}-${name.trim()}.pack`, pack)
  return digest
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
