import { join } from 'node:path'
import type { LockedFile } from '../lock/lock.ts'

/** `file/<name>/<basename of the address>` in the tree; an address that ends in a slash gives none. */
export function fileInTree(kind: 'file' | 'iso', { name, url }: Pick<LockedFile, 'name' | 'url'>): string {
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
