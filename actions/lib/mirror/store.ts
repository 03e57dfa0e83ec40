import { join } from 'node:path'

/** Where an artefact lies in a store: `sha256/ab/abcd…`. */
export function objectPath(store: string, sha256: string): string {
  return join(store, 'sha256', sha256.slice(0, 2), sha256)
}

/** Where the objects of a git source lie in a store: one pack, named by the digest over the objects' ids. */
export function packPath(store: string, objects: string): string {
  return join(store, 'git', `${objects}.pack`)
}
