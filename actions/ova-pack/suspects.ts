import { createHash } from 'node:crypto'
import { expandBraces, Pattern } from '../lib/disk/pattern.ts'
import type { RootFileSystem, Tools } from '../lib/disk/root-file-system.ts'
import { ApplianceError } from '../lib/errors/error.ts'
import { queryRpms } from './rpm-database.ts'
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

/** Where the spec says that a find may stay. */
export interface Allowed {
  /** Pattern of paths in the guest; of a data disk, its file's name. */
  path: string
  reason: string
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
 * package shipped it (dpkg's md5sums, rpm's database), serves tests only, or the spec says why it may stay.
 *
 * @param start byte of the disk at which the root file system begins
 * @param scratch a folder for temporary files
 */
export async function judge(
  finds: readonly Find[],
  root: RootFileSystem,
  start: number,
  length: number,
  allowed: readonly Allowed[],
  tools: Tools,
  scratch: string,
): Promise<Suspect[]> {
  if (finds.length === 0) return []
  const places = await locate(finds, root, start, length)
  const tolerable = [...new Set(finds.flatMap(({ needle }, i) => (needle.tolerable ? [places[i]!] : [])))]
  const files = tolerable.filter((path) => path.startsWith('/'))
  const shipped = new Set([
    ...(await asDebianShipped(files, root)),
    ...(await asRpmShipped(files, root, tools, scratch)),
  ])
  const tests = patterns(testFiles)
  return finds.map(({ needle, offset }, index) => {
    const place = places[index]!
    const suspect: Suspect = { name: needle.name, offset, place }
    if (!needle.tolerable) return suspect
    if (shipped.has(place)) suspect.tolerated = 'as its package shipped it'
    else if (tests.some((pattern) => pattern.matches(place))) suspect.tolerated = 'only serves tests'
    else return permitted(suspect, allowed)
    return suspect
  })
}

/** Tolerated where the spec says so. */
function permitted(suspect: Suspect, allowed: readonly Allowed[]): Suspect {
  const { place } = suspect
  const found = allowed.find(
    // A pattern means files: no free space, whose place has no path.
    ({ path }) =>
      path === place ||
      ([path, place].every((one) => one.startsWith('/')) &&
        patterns([path]).some((pattern) => pattern.matches(place))),
  )
  return found ? { ...suspect, tolerated: `allowed by the spec: ${found.reason}` } : suspect
}

function patterns(texts: readonly string[]): Pattern[] {
  return texts.flatMap(expandBraces).map((text) => new Pattern(text))
}

/** The same for finds on a data disk, which is taken as it is: nobody looks into its files. */
export function judgeDataDisk(finds: readonly Find[], name: string, allowed: readonly Allowed[]): Suspect[] {
  return finds.map(({ needle, offset }) => {
    const suspect = { name: needle.name, offset, place: name }
    return needle.tolerable ? permitted(suspect, allowed) : suspect
  })
}

/** @throws ApplianceError `check-failed` that names what may not stay */
export function refuseSecrets(all: readonly Suspect[]): void {
  const suspects = all.filter(({ tolerated }) => tolerated === undefined)
  if (suspects.length === 0) return
  const lines = [...new Set(suspects.map(({ name, place }) => `${name} in ${place}`))]
  const first = suspects[0]!
  throw new ApplianceError(
    'check-failed',
    `sealing: the disk holds ${lines.slice(0, 5).join('; ')}${lines.length > 5 ? `; and ${lines.length - 5} more` : ''} (first at byte ${first.offset})`,
    {
      hint: 'Remove it while provisioning, or make it at first boot (first_boot: in the spec), so that no two customers share it.',
    },
  )
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

/** Those of the files that have the MD5 digest their Debian package gives them. */
async function asDebianShipped(files: readonly string[], root: RootFileSystem): Promise<Set<string>> {
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

/** By the length of a digest in hex: rpm's packages say by a number which it is (FILEDIGESTALGO). */
const rpmDigests: Record<number, string> = {
  32: 'md5',
  40: 'sha1',
  64: 'sha256',
  96: 'sha384',
  128: 'sha512',
}

/** Those of the files that have the digest that rpm's database gives them. */
async function asRpmShipped(
  files: readonly string[],
  root: RootFileSystem,
  tools: Tools,
  scratch: string,
): Promise<Set<string>> {
  if (files.length === 0) return new Set()
  const read = (paths: readonly string[]) => root.read(paths)
  const lines = await queryRpms(read, tools.run.bind(tools), scratch, '[%{FILEDIGESTS} %{FILENAMES}\\n]')
  const wanted = new Set(files.map(withoutUsr))
  const known = new Map<string, string[]>()
  for (const line of lines ?? []) {
    const [, digest, name] = /^([0-9a-f]+) (\/.*)$/.exec(line) ?? []
    if (!digest || !name || !wanted.has(withoutUsr(name))) continue
    // Two packages may own a file, and two architectures of one.
    known.set(withoutUsr(name), [...(known.get(withoutUsr(name)) ?? []), digest])
  }
  const contents = await root.read(files.filter((path) => known.has(withoutUsr(path))))
  return new Set(
    files.filter((path) =>
      known.get(withoutUsr(path))?.some((digest) => {
        const [content, algorithm] = [contents.get(path), rpmDigests[digest.length]]
        return content && algorithm && createHash(algorithm).update(content).digest('hex') === digest
      }),
    ),
  )
}

/** Packages may still say /lib where the merged system has /usr/lib. */
function withoutUsr(path: string): string {
  return path.replace(/^\/usr(?=\/)/, '')
}
