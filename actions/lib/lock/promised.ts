import type { Artefact, Digest, Lock } from './lock.ts'

/** What a store is to hold, whole, for a lock. */
export interface Promised {
  /** By SHA-256. */
  objects: ReadonlyMap<Digest, PromisedObject>
  /** Packs of git objects: the digest over the objects' ids → the commit or tag from which all of them can be reached. */
  packs: ReadonlyMap<Digest, string>
}

export interface PromisedObject extends Artefact {
  /** Wanted for the proof alone; upstream may have lost it. */
  evidence: boolean
}

/** Whatever the lock names, wherever in it, by digest; the archive it may be taken from is not part of it. */
export function promisedBy({ archive: _, ...lock }: Lock): Promised {
  const objects = new Map<Digest, PromisedObject>()
  const packs = new Map<Digest, string>()
  visit(lock, false)
  return { objects, packs }

  function visit(value: unknown, evidence: boolean): void {
    if (typeof value !== 'object' || value === null) return
    const { sha256, size, objects: ids, commit, tag } = value as Record<string, unknown>
    if (typeof sha256 === 'string' && typeof size === 'number') {
      const only = evidence && (objects.get(sha256)?.evidence ?? true)
      objects.set(sha256, { sha256, size, evidence: only })
    }
    if (typeof ids === 'string' && typeof commit === 'string')
      packs.set(ids, typeof tag === 'string' ? tag : commit)
    for (const [key, inner] of Object.entries(value)) visit(inner, evidence || key === 'evidence')
  }
}
