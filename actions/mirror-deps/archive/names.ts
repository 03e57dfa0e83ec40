import { basename, join, relative } from 'node:path'
import type { Digest } from '../../lib/lock/lock.ts'
import { objectPath, packPath } from '../../lib/mirror/store.ts'

/** The first entry: what the rest is promised by. */
export const LOCK_NAME = 'appliance.lock.json'

/** Unpacked where the mirror is (`build/mirror-deps/`), an archive is its store. */
const STORE = 'store'

export function objectName(sha256: Digest): string {
  return objectPath(STORE, sha256)
}

export function packName(objects: Digest): string {
  return packPath(STORE, objects)
}

/** Where an entry lies in a store. */
export function placeOf(name: string, store: string): string {
  return join(store, relative(STORE, name))
}

export type Named =
  | { kind: 'lock' }
  | { kind: 'object'; sha256: Digest }
  | { kind: 'pack'; objects: Digest }
  | undefined

/** What a name in an archive means; undefined: nothing that belongs into one. */
export function named(name: string): Named {
  if (name === LOCK_NAME) return { kind: 'lock' }
  const digest = /^[0-9a-f]{64}(?=\.pack$|$)/.exec(basename(name))?.[0]
  if (digest !== undefined && name === objectName(digest)) return { kind: 'object', sha256: digest }
  if (digest !== undefined && name === packName(digest)) return { kind: 'pack', objects: digest }
  return undefined
}
