import { realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'

/** What an address leads to in the tree. */
export interface Found {
  /** Absolute, without a link in it. */
  path: string
  kind: 'file' | 'folder'
}

/**
 * The names an address is made of, decoded once; undefined for whatever no honest client asks for: `..`, NUL,
 * backslashes, slashes in disguise, bytes that are no UTF-8, and the absolute form, with which a proxy is asked.
 *
 * @param target as in the request line (RFC 9112, 3.2)
 */
export function namesIn(target: string): string[] | undefined {
  if (!target.startsWith('/')) return undefined
  const names: string[] = []
  for (const part of target.split(/[?#]/, 1)[0]!.split('/')) {
    if (part === '') continue
    const name = decoded(part)
    if (name === undefined || name === '.' || name === '..' || /[/\\\0]/.test(name)) return undefined
    names.push(name)
  }
  return names
}

/**
 * The regular file or folder of that name inside the root, reached without a link.
 *
 * @param root absolute, and itself without a link in it
 */
export async function findIn(root: string, names: readonly string[]): Promise<Found | undefined> {
  const path = join(root, ...names)
  // Too long a name, a file in the place of a folder: not there either.
  const real = await realpath(path).catch(() => undefined)
  if (real !== path || !(real === root || real.startsWith(root + sep))) return undefined
  const status = await stat(real)
  if (status.isDirectory()) return { path, kind: 'folder' }
  return status.isFile() ? { path, kind: 'file' } : undefined
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}
