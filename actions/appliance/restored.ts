import type { Stats } from 'node:fs'
import { chmod, lstat, readdir, rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { Lock } from '../lib/lock/lock.ts'
import { promisedBy } from '../lib/lock/promised.ts'
import { objectPath, packPath } from '../lib/mirror/store.ts'

/** What of a store was left in it; paths are relative to it. */
export interface Restored {
  /** Entries with the name of something that the lock names; what they are, and hold, is for the stage to find out. */
  kept: number
  /** Taken out: artefacts of another lock. */
  unneeded: string[]
  /** Taken out: names that no store has, and links. */
  foreign: string[]
}

/**
 * Goes through a store that came from somewhere else and leaves in it only the names that the lock, which is in
 * version control, has; no folder in it is a link. The stage then reads every byte of the rest: what is no plain
 * file, or holds other bytes, it fetches again, and counts.
 */
export async function keepOnlyLocked(store: string, lock: Lock, signal: AbortSignal): Promise<Restored> {
  const places = placesIn(store, lock)
  const folders = new Set([store, join(store, 'sha256'), join(store, 'git')])
  const restored: Restored = { kept: 0, unneeded: [], foreign: [] }
  await walk(store)
  return restored

  async function walk(path: string): Promise<void> {
    signal.throwIfAborted()
    const status = await lstat(path).catch(() => undefined)
    if (!status) return
    if (places.has(path)) {
      restored.kept += 1
      if (status.isFile()) await ensureMode(path, status, 0o644)
      return
    }
    if (status.isDirectory() && (folders.has(path) || isFanOut(path))) {
      await ensureMode(path, status, 0o755)
      for (const name of await readdir(path)) await walk(join(path, name))
      return
    }
    await rm(path, { recursive: true, force: true })
    const name = relative(store, path)
    if (status.isFile() && isOfAnyStore(name)) restored.unneeded.push(name)
    else restored.foreign.push(name)
  }

  function isFanOut(path: string): boolean {
    return /^sha256\/[0-9a-f]{2}$/.test(relative(store, path))
  }
}

/** The artefacts in a store that the lock does not name; nothing is changed. */
export async function unneededIn(store: string, lock: Lock): Promise<string[]> {
  const places = placesIn(store, lock)
  const names = await readdir(store, { recursive: true }).catch(() => [])
  return names
    .filter(isOfAnyStore)
    .map((name) => join(store, name))
    .filter((path) => !places.has(path))
}

/** Whether a store has everything that the lock names (but evidence, which upstream may have lost); by name only. */
export async function isWhole(store: string, lock: Lock): Promise<boolean> {
  for (const [path, evidence] of placesIn(store, lock)) {
    if (evidence) continue
    const status = await lstat(path).catch(() => undefined)
    if (!status?.isFile()) return false
  }
  return true
}

/**
 * Path → what the file system says of it, for everything of the lock that is there. A file that was replaced is told
 * by it; another name (a hard link of the tree's) is no change.
 */
export async function artefactsIn(store: string, lock: Lock): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const path of placesIn(store, lock).keys()) {
    const status = await lstat(path, { bigint: true }).catch(() => undefined)
    if (status) found.set(path, `${status.mode} ${status.ino} ${status.mtimeNs} ${status.size}`)
  }
  return found
}

/** Where everything that the lock names lies → whether it is evidence. */
function placesIn(store: string, lock: Lock): Map<string, boolean> {
  const { objects, packs } = promisedBy(lock)
  const places = new Map<string, boolean>()
  for (const { sha256, evidence } of objects.values()) places.set(objectPath(store, sha256), evidence)
  for (const digest of packs.keys()) places.set(packPath(store, digest), false)
  return places
}

function isOfAnyStore(name: string): boolean {
  return /^sha256\/([0-9a-f]{2})\/\1[0-9a-f]{62}$|^git\/[0-9a-f]{64}\.pack$/.test(name)
}

/** As we would have made it: readable, and nobody's to execute. */
async function ensureMode(path: string, { mode }: Stats, wanted: number): Promise<void> {
  if ((mode & 0o7777) !== wanted) await chmod(path, wanted)
}
