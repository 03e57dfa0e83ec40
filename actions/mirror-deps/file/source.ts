import { randomBytes } from 'node:crypto'
import { mkdir, rename, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type LockedFile, NOASSERTION } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import type { Spec } from '../../lib/spec/spec.ts'
import { download } from '../fetch/download.ts'
import type { LockedWanted } from '../fetch/fetch.ts'

export type FileEntry = Spec['mirror']['file'][number]

/** Downloads a file whose digest is not known yet (or is, from the spec) and puts it into the store by digest. */
export async function lockFile(
  entry: FileEntry,
  store: string,
  signal: AbortSignal,
  onDownload: (bytes: number) => void,
): Promise<LockedFile> {
  const { name, url, mirrors, license = NOASSERTION } = entry
  const known = entry.sha256 && (await stat(objectPath(store, entry.sha256)).catch(() => undefined))
  if (entry.sha256 && known)
    return { name, url, mirrors, license, sha256: entry.sha256, size: known.size, evidence: [] }
  // Where fetching sweeps what a killed run left behind.
  const partial = join(store, 'sha256', '00', `${randomBytes(4).toString('hex')}.partial`)
  const wanted = {
    title: `file ${name}`,
    urls: [url, ...mirrors],
    ...(entry.sha256 ? { sha256: entry.sha256 } : {}),
  }
  const { sha256, size } = await download(wanted, partial, { signal })
  onDownload(size)
  await mkdir(dirname(objectPath(store, sha256)), { recursive: true })
  await rename(partial, objectPath(store, sha256))
  return { name, url, mirrors, license, sha256, size, evidence: [] }
}

export function wantedOfFile({ name, url, mirrors, sha256, size }: LockedFile): LockedWanted {
  return { title: `file ${name}`, urls: [url, ...mirrors], sha256, size }
}

/** `file/<name>/<basename of the address>` in the tree; an address that ends in a slash gives none. */
export function fileInTree({ name, url }: LockedFile): string {
  const last = new URL(url).pathname.split('/').at(-1)!
  const plain = /%2f|%00/i.test(last) ? last : decoded(last)
  return join('file', name, ['', '.', '..'].includes(plain) ? name : plain)
}

/** Web servers decode what is asked for, so the file has the decoded name. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
