import { createHash } from 'node:crypto'
import { expandBraces, Pattern } from '../lib/disk/pattern.ts'
import type { RootFileSystem } from '../lib/disk/root-file-system.ts'
import type { Find } from './scan.ts'

/** A find, and the file it lies in. */
export interface Suspect {
  name: string
  offset: number
  /** Path in the guest, or a description of a place that belongs to no file. */
  place: string
  /** Why it may stay; undefined when it may not. */
  tolerated?: string
}

/** Keys that only serve tests and examples of libraries; every copy of the library has them. */
const testFiles = [
  '/**/gems/*/{test,tests,spec,specs,example,examples,sample,doc,docs,fixtures}/**',
  '/**/{dist,site}-packages/**/{test,tests,testing,fixtures}/**',
  '/**/node_modules/**/{test,tests,fixtures,example,examples}/**',
  '/usr/share/doc/**',
]

/**
 * Names the file of each find and judges it: a private key is none of ours when its file is byte for byte as a
 * Debian package shipped it (dpkg's md5sums), or serves tests only.
 *
 * @param start byte of the disk at which the root file system begins
 * @param allowed further patterns of files in which tolerable finds are expected
 */
export async function judge(
  finds: readonly Find[],
  root: RootFileSystem,
  start: number,
  length: number,
  allowed: readonly string[],
): Promise<Suspect[]> {
  if (finds.length === 0) return []
  const places = await locate(finds, root, start, length)
  const tolerable = [...new Set(finds.flatMap(({ needle }, i) => (needle.tolerable ? [places[i]!] : [])))]
  const shipped = await asShipped(tolerable, root)
  const patterns = [...testFiles, ...allowed].flatMap(expandBraces).map((text) => new Pattern(text))
  return finds.map(({ needle, offset }, index) => {
    const place = places[index]!
    const suspect: Suspect = { name: needle.name, offset, place }
    if (!needle.tolerable) return suspect
    if (shipped.has(place)) suspect.tolerated = 'as its package shipped it'
    else if (patterns.some((pattern) => pattern.matches(place))) suspect.tolerated = 'only serves tests'
    return suspect
  })
}

async function locate(
  finds: readonly Find[],
  root: RootFileSystem,
  start: number,
  length: number,
): Promise<string[]> {
  const within = finds.map(({ offset }) => offset - start).filter((at) => at >= 0 && at < length)
  const places = await root.placesOf(within)
  const byOffset = new Map(within.map((at, index) => [at, places[index]!]))
  return finds.map(({ offset }) => byOffset.get(offset - start) ?? 'outside of the root file system')
}

/** Those of the paths that have the MD5 digest their Debian package gives them. */
async function asShipped(paths: readonly string[], root: RootFileSystem): Promise<Set<string>> {
  const files = paths.filter((path) => path.startsWith('/'))
  if (files.length === 0) return new Set()
  const tree = await root.tree([new Pattern('/var/lib/dpkg/info/*.md5sums')])
  const lists = [...tree.keys()].filter((path) => path.endsWith('.md5sums'))
  const wanted = new Set(files.map(withoutUsr))
  const known = new Map<string, string>()
  for (const list of (await root.read(lists)).values())
    for (const line of list.toString().split('\n')) {
      const path = withoutUsr(`/${line.slice(34)}`)
      if (wanted.has(path)) known.set(path, line.slice(0, 32))
    }
  const contents = await root.read(files.filter((path) => known.has(withoutUsr(path))))
  return new Set(
    files.filter((path) => {
      const content = contents.get(path)
      return content && createHash('md5').update(content).digest('hex') === known.get(withoutUsr(path))
    }),
  )
}

/** Packages may still say /lib where the merged system has /usr/lib. */
function withoutUsr(path: string): string {
  return path.replace(/^\/usr(?=\/)/, '')
}
