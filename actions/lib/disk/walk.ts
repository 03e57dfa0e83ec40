import type { Pattern } from './pattern.ts'
import type { Entry, Tree } from './root-file-system.ts'

/** Something in a folder; all that is known of it only when it is asked for, since that may cost a read. */
export interface Listed {
  path: string
  kind: Entry['kind']
  entry(): Promise<Entry | undefined>
}

/** What lies in some folders, one after the other. */
export type List = (folders: readonly string[]) => AsyncIterable<Listed>

/** Everything that matches one of the patterns, and the folders on the way to it. */
export async function matching(patterns: readonly Pattern[], list: List): Promise<Tree> {
  const tree = new Map<string, Entry>()
  for (let level = ['/']; level.length > 0; ) {
    const next: string[] = []
    for await (const { path, kind, entry } of list(level)) {
      const leads = kind === 'folder' && patterns.some((pattern) => pattern.mayMatchBelow(path))
      if (leads) next.push(path)
      if (!leads && !patterns.some((pattern) => pattern.matches(path))) continue
      const found = await entry()
      if (found) tree.set(path, found)
    }
    level = next
  }
  return tree
}

/** Everything in a folder, however deep, deepest first. */
export async function allBelow(folder: string, list: List): Promise<Entry[]> {
  const found: Entry[] = []
  for (let level = [folder]; level.length > 0; ) {
    const entries: Entry[] = []
    for await (const { entry } of list(level)) {
      const there = await entry()
      if (there) entries.push(there)
    }
    found.unshift(...entries)
    level = entries.filter(({ kind }) => kind === 'folder').map(({ path }) => path)
  }
  return found
}
