import { randomBytes } from 'node:crypto'
import { mkdir, rename, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type LockedFile, NOASSERTION } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import type { Spec } from '../../lib/spec/spec.ts'
import { download } from '../fetch/download.ts'
import type { LockedWanted } from '../fetch/fetch.ts'
import type { Resolver } from '../resolver.ts'

export type FileEntry = Spec['mirror']['file'][number]

/** A file and an ISO image are one thing in two folders. */
export type FileKind = 'file' | 'iso'

/** Downloads a file whose digest is not known yet (or is, from the spec) and puts it into the store by digest. */
export async function lockFile(
  kind: FileKind,
  entry: FileEntry,
  { work: { signal }, paths: { store }, ledger }: Resolver,
): Promise<LockedFile> {
  const { name, url, mirrors, license = NOASSERTION } = entry
  const known = entry.sha256 && (await stat(objectPath(store, entry.sha256)).catch(() => undefined))
  if (entry.sha256 && known)
    return { name, url, mirrors, license, sha256: entry.sha256, size: known.size, evidence: [] }
  // Where fetching sweeps what a killed run left behind.
  const partial = join(store, 'sha256', '00', `${randomBytes(4).toString('hex')}.partial`)
  const wanted = {
    title: `${kind} ${name}`,
    urls: [url, ...mirrors],
    ...(entry.sha256 ? { sha256: entry.sha256 } : {}),
  }
  const { sha256, size } = await download(wanted, partial, { signal })
  ledger.note(`${kind} ${name}`, { sha256, size }, 'downloaded', size)
  await mkdir(dirname(objectPath(store, sha256)), { recursive: true })
  await rename(partial, objectPath(store, sha256))
  return { name, url, mirrors, license, sha256, size, evidence: [] }
}

/**
 * Everything of locked files that is to be in the store.
 *
 * @param entries of the spec, for what the lock does not hold: credentials
 */
export function wantedOfFiles(
  kind: FileKind,
  locked: readonly LockedFile[],
  _entries: readonly FileEntry[],
): LockedWanted[] {
  return locked.map(({ name, url, mirrors, sha256, size }) => ({
    source: `${kind} ${name}`,
    title: `${kind} ${name}`,
    urls: [url, ...mirrors],
    sha256,
    size,
  }))
}

/** `file/<name>/<basename of the address>` in the tree; an address that ends in a slash gives none. */
export function fileInTree(kind: FileKind, { name, url }: LockedFile): string {
  const last = new URL(url).pathname.split('/').at(-1)!
  const plain = /%2f|%00/i.test(last) ? last : decoded(last)
  return join(kind, name, ['', '.', '..'].includes(plain) ? name : plain)
}

/** Web servers decode what is asked for, so the file has the decoded name. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
