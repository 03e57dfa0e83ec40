import { link, mkdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { sha256File } from '../lib/files/digest.ts'
import type { LockedDebRepository } from '../lib/lock/lock.ts'
import { objectPath } from '../lib/mirror/store.ts'
import { type AptSource, PrivateApt, type SolvedPackage } from './apt.ts'
import { download } from './download.ts'
import type { LockedWanted } from './fetch.ts'

export interface DebSource extends AptSource {
  snapshot?: string | undefined
}

/**
 * Resolves packages over all repositories in one transaction from an empty system, by apt itself, and keeps what
 * apt verified (signed InRelease, indexes) in the store as evidence.
 */
export async function resolveDebs(
  sources: readonly DebSource[],
  packages: readonly string[],
  options: { directory: string; store: string; signal: AbortSignal },
): Promise<LockedDebRepository[]> {
  const apt = await PrivateApt.make(options.directory, sources, options.signal)
  await apt.update()
  const solved = await apt.solve(packages)
  const repositories: LockedDebRepository[] = []
  for (const source of sources) {
    const evidence = await keepEvidence(source, apt.lists, options)
    repositories.push({
      name: source.name,
      uri: source.uri,
      suites: [...source.suites],
      components: [...source.components],
      ...(source.snapshot ? { snapshot: source.snapshot } : {}),
      timestamp: evidence.timestamp,
      evidence: evidence.files,
      packages: [],
    })
  }
  for (const found of solved) {
    const repository = repositories.find(({ uri }) => found.url.startsWith(withSlash(uri)))
    if (!repository)
      throw new ApplianceError('internal', `apt took ${found.name} from ${found.url}, which is no source`)
    repository.packages.push(locked(found, repository.uri))
  }
  return repositories
}

function locked({ name, version, arch, url, size, sha256 }: SolvedPackage, uri: string) {
  return { name, version, arch, path: url.slice(withSlash(uri).length), size, sha256 }
}

function withSlash(uri: string): string {
  return uri.endsWith('/') ? uri : `${uri}/`
}

/**
 * Keeps a source's signed InRelease files, which apt has verified, and the indexes they vouch for, exactly as
 * upstream publishes them, in the store. apt itself keeps indexes unpacked, which is faster to solve with.
 */
async function keepEvidence(source: AptSource, lists: string, { store, signal }: Keeping) {
  const prefix = withSlash(source.uri)
    .replace(/^[a-z]+:\/\//, '')
    .replaceAll('/', '_')
  const files: LockedDebRepository['evidence'] = []
  let newest = 0
  for (const suite of source.suites) {
    const release = join(lists, `${prefix}dists_${suite.replaceAll('/', '_')}_InRelease`)
    files.push({ path: `dists/${suite}/InRelease`, ...(await keep(release, store)) })
    const text = await readFile(release, 'utf8')
    newest = Math.max(newest, dateOf(text))
    for (const component of source.components) {
      const index = `${component}/binary-amd64/Packages.xz`
      const promised = digestIn(text, index)
      if (!promised) continue
      const path = `dists/${suite}/${index}`
      const url = `${withSlash(source.uri)}${path}`
      const to = objectPath(store, promised.sha256)
      if (!(await stat(to).catch(() => undefined)))
        await download({ title: `${path} of ${source.name}`, urls: [url], ...promised }, to, { signal })
      files.push({ path, ...promised })
    }
  }
  const timestamp = new Date(newest).toISOString().replace(/[-:]|\.\d+/g, '')
  return { files, timestamp }
}

interface Keeping {
  store: string
  signal: AbortSignal
}

/** What a Release file promises of one of its indexes (its section `SHA256:`). */
function digestIn(release: string, index: string): { sha256: string; size: number } | undefined {
  const section = /^SHA256:\n((?: .*\n)+)/m.exec(release)?.[1] ?? ''
  for (const line of section.split('\n')) {
    const [sha256, size, path] = line.trim().split(/\s+/)
    if (path === index) return { sha256: sha256!, size: Number(size) }
  }
  return undefined
}

async function keep(from: string, store: string): Promise<{ sha256: string; size: number }> {
  const sha256 = await sha256File(from)
  const to = objectPath(store, sha256)
  await mkdir(dirname(to), { recursive: true })
  await link(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  return { sha256, size: (await stat(to)).size }
}

/** The `Date:` of a Release file (Debian repository format), milliseconds since 1970. */
function dateOf(release: string): number {
  return Date.parse(/^Date: (.+)$/m.exec(release)?.[1] ?? '') || 0
}

/** Everything of a repository that is to be in the store, with its addresses: upstream, then its snapshots. */
export function wantedOfRepository(repository: LockedDebRepository): LockedWanted[] {
  const { name, uri, snapshot, timestamp } = repository
  const bases = [withSlash(uri), ...(snapshot ? [withSlash(snapshot.replace('{timestamp}', timestamp))] : [])]
  const urls = (path: string) => bases.map((base) => `${base}${encodeURI(path).replaceAll('+', '%2b')}`)
  return [
    ...repository.packages.map((deb) => ({
      title: `deb ${deb.name} ${deb.version} of ${name}`,
      urls: urls(deb.path),
      sha256: deb.sha256,
      size: deb.size,
    })),
    ...repository.evidence.map((one) => ({
      title: `${one.path} of ${name}`,
      urls: urls(one.path),
      sha256: one.sha256,
      size: one.size,
      evidence: true,
    })),
  ]
}
