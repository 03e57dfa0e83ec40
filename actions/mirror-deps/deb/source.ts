import { posix } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ApplianceError } from '../../lib/errors/error.ts'
import { type LockedDebRepository, NOASSERTION } from '../../lib/lock/lock.ts'
import { asNamed, namesThatDiffer } from '../../lib/mirror/packages.ts'
import type { LockedWanted } from '../fetch/fetch.ts'
import { type AptSource, isFlat, PrivateApt, withSlash } from './apt.ts'
import { evidenceUrls, isKey, keepEvidence } from './evidence.ts'

export interface DebSource extends AptSource {
  snapshot?: string | undefined
  /** It stays as it was locked, and this is where its kept indexes lie: apt is to see no newer ones. */
  kept?: { locked: LockedDebRepository; uri: string } | undefined
}

/**
 * Resolves packages over all repositories in one transaction from an empty system, by apt itself, and keeps what
 * apt verified (signed InRelease, indexes, keys) in the store as evidence.
 */
export async function resolveDebs(
  sources: readonly DebSource[],
  packages: readonly string[],
  options: { directory: string; store: string; signal: AbortSignal },
): Promise<LockedDebRepository[]> {
  const asked = sources.map((source) => {
    const components = source.suites.every(isFlat) ? [] : source.components
    return source.kept
      ? { ...source, components, uri: source.kept.uri, proved: true }
      : { ...source, components }
  })
  const apt = await PrivateApt.make(options.directory, asked, options.signal)
  await apt.update()
  const solved = await apt.solve(asNamed(packages, await apt.there(namesThatDiffer)))
  const repositories: LockedDebRepository[] = []
  for (const source of asked) {
    const { timestamp, evidence } =
      source.kept?.locked ??
      (await keepEvidence({ ...source, uri: withSlash(source.uri) }, apt.lists, options))
    repositories.push({
      name: source.name,
      uri: source.kept?.locked.uri ?? source.uri,
      suites: [...source.suites],
      components: [...source.components],
      ...(source.snapshot ? { snapshot: source.snapshot } : {}),
      timestamp,
      evidence,
      packages: [],
    })
  }
  // An address may begin like another one: the longest counts.
  const bases = asked
    .map(({ uri }, index): [string, LockedDebRepository] => [asPrinted(uri), repositories[index]!])
    .sort(([a], [b]) => b.length - a.length)
  for (const found of solved) {
    const [base, repository] = bases.find(([base]) => found.url.startsWith(base)) ?? []
    if (base === undefined || repository === undefined)
      throw new ApplianceError('internal', `apt took ${found.name} from ${found.url}, which is no source`)
    const { name, version, arch, url, size, sha256 } = found
    const path = posix.normalize(url.slice(base.length))
    repository.packages.push({ name, version, arch, path, license: NOASSERTION, size, sha256 })
  }
  return repositories
}

/** apt writes `file:/srv/` where we write `file:///srv/`; parseUri decodes. */
function asPrinted(uri: string): string {
  const base = withSlash(uri).replace(/^file:\/\//, 'file:')
  return base.startsWith('file:') ? decodeURIComponent(base) : base
}

/**
 * Everything of repositories that is to be in the store.
 *
 * @param sources with the keyrings that the spec names now, where a kept one may be had again
 */
export function wantedOfDebs(
  repositories: readonly LockedDebRepository[],
  sources: readonly Pick<DebSource, 'name' | 'signedBy'>[],
): LockedWanted[] {
  return repositories.flatMap((repository) => {
    const keyring = sources.find(({ name }) => name === repository.name)?.signedBy
    return [...wantedOfRepository(repository), ...wantedKeys(repository, keyring)]
  })
}

/** The same of the build tools' repositories. */
export function wantedOfToolsDebs(
  repositories: readonly LockedDebRepository[],
  { signedBy }: Pick<DebSource, 'signedBy'>,
): LockedWanted[] {
  const sources = repositories.map(({ name }) => ({ name, signedBy }))
  return wantedOfDebs(repositories, sources).map((wanted) => ({ ...wanted, source: 'tools' }))
}

function wantedKeys({ name, evidence }: LockedDebRepository, keyring: string | undefined): LockedWanted[] {
  return evidence
    .filter(({ path }) => isKey(path))
    .map(({ path, sha256, size }) => ({
      source: `deb ${name}`,
      title: `${path} of ${name}`,
      urls: keyring === undefined ? [] : [pathToFileURL(keyring).href],
      sha256,
      size,
      evidence: true,
    }))
}

/** What upstream has of a repository, with its addresses: upstream's own, then those of its snapshots. */
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
    ...repository.evidence
      .filter(({ path }) => !isKey(path))
      .map((one) => ({
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
