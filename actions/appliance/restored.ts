import { lstat, readdir, rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { sha256File } from '../lib/files/digest.ts'
import type { Lock } from '../lib/lock/lock.ts'
import { objectPath, packPath } from '../lib/mirror/store.ts'

export interface Restored {
  kept: number
  /** Paths in the store that were taken out: not in the lock, not a plain file, or other bytes than locked. */
  removed: string[]
}

/**
 * Goes through a store that came from somewhere else (a cache, an archive) and leaves in it only what the lock, which
 * is in version control, names and vouches for. A git pack is kept by its name: what is in it is proved object by
 * object when the mirror unpacks it.
 */
export async function keepOnlyLocked(store: string, lock: Lock, signal: AbortSignal): Promise<Restored> {
  const expected = expectedIn(store, lock)
  const restored: Restored = { kept: 0, removed: [] }
  await walk(store)
  return restored

  async function walk(path: string): Promise<void> {
    signal.throwIfAborted()
    const status = await lstat(path).catch(() => undefined)
    if (!status) return
    if (status.isDirectory()) {
      for (const name of await readdir(path)) await walk(join(path, name))
      return
    }
    const digest = expected.get(path)
    const sound =
      status.isFile() &&
      expected.has(path) &&
      (digest === undefined || (await sha256File(path, signal)) === digest)
    if (sound) restored.kept += 1
    else {
      await rm(path)
      restored.removed.push(relative(store, path))
    }
  }
}

/** Whether a store has everything that the lock names; by name, not by content. */
export async function isWhole(store: string, lock: Lock): Promise<boolean> {
  for (const path of expectedIn(store, lock).keys()) {
    const status = await lstat(path).catch(() => undefined)
    if (!status?.isFile()) return false
  }
  return true
}

/** Path → digest of its content; of a git pack, no digest is known. */
function expectedIn(store: string, lock: Lock): Map<string, string | undefined> {
  const expected = new Map<string, string | undefined>()
  for (const digest of digestsIn(lock)) expected.set(objectPath(store, digest), digest)
  for (const { objects } of lock.git) expected.set(packPath(store, objects), undefined)
  return expected
}

/** Every `sha256` in the lock, wherever it stands. */
function digestsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'sha256' && typeof inner === 'string' ? [inner] : digestsIn(inner),
  )
}
