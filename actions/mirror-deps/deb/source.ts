import { ApplianceError } from '../../lib/errors/error.ts'
import { type LockedDebRepository, NOASSERTION } from '../../lib/lock/lock.ts'
import type { LockedWanted } from '../fetch/fetch.ts'
import { type AptSource, PrivateApt } from './apt.ts'
import { evidenceUrls, keepEvidence } from './evidence.ts'

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
    const evidence = await keepEvidence({ ...source, uri: withSlash(source.uri) }, apt.lists, options)
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
  // An address may begin like another one: the longest counts.
  const longestFirst = repositories.toSorted((a, b) => b.uri.length - a.uri.length)
  for (const found of solved) {
    const repository = longestFirst.find(({ uri }) => found.url.startsWith(asPrinted(uri)))
    if (!repository)
      throw new ApplianceError('internal', `apt took ${found.name} from ${found.url}, which is no source`)
    const { name, version, arch, url, size, sha256 } = found
    const path = url.slice(asPrinted(repository.uri).length)
    repository.packages.push({ name, version, arch, path, license: NOASSERTION, size, sha256 })
  }
  return repositories
}

function withSlash(uri: string): string {
  return uri.endsWith('/') ? uri : `${uri}/`
}

/** apt writes `file:/srv/` where we write `file:///srv/`. */
function asPrinted(uri: string): string {
  return withSlash(uri).replace(/^file:\/\//, 'file:')
}

/** Everything of a repository that is to be in the store, with its addresses: upstream, then its snapshots. */
export function wantedOfRepository(repository: LockedDebRepository): LockedWanted[] {
  const { name, uri, snapshot, timestamp } = repository
  const source = `deb ${name}`
  const bases = [withSlash(uri), ...(snapshot ? [withSlash(snapshot.replace('{timestamp}', timestamp))] : [])]
  return [
    ...repository.packages.map((deb) => ({
      source,
      title: `deb ${deb.name} ${deb.version} of ${name}`,
      urls: bases.map((base) => `${base}${encodeURI(deb.path).replaceAll('+', '%2b')}`),
      sha256: deb.sha256,
      size: deb.size,
    })),
    ...repository.evidence.map((one) => ({
      source,
      title: `${one.path} of ${name}`,
      urls: bases.flatMap((base) => evidenceUrls(base, one)),
      sha256: one.sha256,
      size: one.size,
      tries: 2,
      evidence: true,
    })),
  ]
}

/** The same of a repository of the build tools. */
export function wantedOfTools(repository: LockedDebRepository): LockedWanted[] {
  return wantedOfRepository(repository).map((wanted) => ({ ...wanted, source: 'tools' }))
}
