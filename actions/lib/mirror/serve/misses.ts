import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Lacking, remedyFor } from './lacking.ts'
import { namesIn } from './path.ts'

/** A client that makes up addresses must not fill our memory. */
const MOST = 10_000

/** What was asked for and is not there. */
export class Misses {
  /** Path as asked for → how often. */
  readonly counted = new Map<string, number>()
  private readonly sources: ReadonlySet<string>

  /** @param sources what the tree has: `gem/app`, `git/rbenv.git` */
  constructor(sources: ReadonlySet<string>) {
    this.sources = sources
  }

  add(target: string): void {
    const before = this.counted.get(target)
    if (before !== undefined || this.counted.size < MOST) this.counted.set(target, (before ?? 0) + 1)
  }

  /** What the mirror should have had, sorted by path. */
  lacking(): Lacking[] {
    const found: Lacking[] = []
    for (const [path, times] of this.counted) {
      const remedy = this.remedy(path)
      if (remedy !== undefined) found.push({ path, times, remedy })
    }
    return found.sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  remedy(target: string): string | undefined {
    const names = namesIn(target)
    return names === undefined ? undefined : remedyFor(names, this.sources)
  }
}

/** The sources of a tree, a folder each: `deb/debian`, `git/rbenv.git`. */
export async function sourcesOf(root: string): Promise<Set<string>> {
  const folders = async (path: string) => {
    const entries = await readdir(join(root, path), { withFileTypes: true }).catch(() => [])
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  }
  const found = new Set<string>()
  for (const kind of ['deb', 'rpm', 'gem', 'git', 'file', 'iso'])
    for (const name of await folders(kind)) found.add(`${kind}/${name}`)
  return found
}
