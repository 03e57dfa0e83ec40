import { link, mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { sha256File } from '../lib/files/digest.ts'
import type { LockedDebRepository } from '../lib/lock/lock.ts'
import { objectPath } from '../lib/mirror/store.ts'
import { type AptSource, PrivateApt, type SolvedPackage } from './apt.ts'
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
    const evidence = await keepEvidence(source, apt.lists, options.store)
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

/** Copies a source's InRelease files and indexes, as downloaded, into the store. */
async function keepEvidence(source: AptSource, lists: string, store: string) {
  const names = await readdir(lists)
  const prefix = withSlash(source.uri)
    .replace(/^[a-z]+:\/\//, '')
    .replaceAll('/', '_')
  const files: LockedDebRepository['evidence'] = []
  let newest = 0
  for (const suite of source.suites) {
    const stem = `${prefix}dists_${suite.replaceAll('/', '_')}_`
    for (const name of names.filter((candidate) => candidate.startsWith(stem))) {
      const rest = name.slice(stem.length)
      const component = source.components.find((candidate) =>
        rest.startsWith(`${candidate.replaceAll('/', '_')}_binary-`),
      )
      if (rest !== 'InRelease' && !component) continue
      const path = component
        ? `dists/${suite}/${component}/${rest.slice(component.length + 1).replace('_', '/')}`
        : `dists/${suite}/InRelease`
      files.push({ path, ...(await keep(join(lists, name), store)) })
      if (rest === 'InRelease') newest = Math.max(newest, dateOf(await readFile(join(lists, name), 'utf8')))
    }
  }
  const timestamp = new Date(newest).toISOString().replace(/[-:]|\.\d+/g, '')
  return { files, timestamp }
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
