import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Whether a path is like one in which `*` stands for any name and `**` for any folders. */
export function isLike(path: string, pattern: string): boolean {
  const form = pattern
    .replace(/[.+^${}()|[\]\\?]/g, '\\$&')
    .replaceAll('**/', '\0')
    .replaceAll('*', '[^/]*')
    .replaceAll('\0', '(?:.*/)?')
  return new RegExp(`^${form}$`).test(path)
}

/** The files that are {@link isLike} an absolute pattern, sorted. */
export async function filesLike(pattern: string): Promise<string[]> {
  const fixed = pattern.slice(0, pattern.search(/[*]|$/))
  const folder = fixed.endsWith('/') ? fixed : dirname(fixed)
  const entries = await readdir(folder, { recursive: true }).catch(() => [])
  return entries
    .map((name) => join(folder, name))
    .filter((path) => isLike(path, pattern))
    .sort()
}
