import { pathToFileURL } from 'node:url'
import type { LockedRpmRepository } from '../../lib/lock/lock.ts'
import type { LockedWanted } from '../fetch/fetch.ts'
import type { DescribedRpm } from './dnf.ts'
import { withSlash } from './repomd.ts'
import { addressOf, type RpmEntry, relativeTo } from './upstream.ts'

/** Everything of all RPM sources that is to be in the store. `entries`: those of the spec. */
export function wantedOfRpms(
  repositories: readonly LockedRpmRepository[],
  entries: readonly Pick<RpmEntry, 'name' | 'gpgkey'>[],
): LockedWanted[] {
  return repositories.flatMap((one) => wantedOfRpmRepository(one, entries))
}

/**
 * Everything of a repository that is to be in the store, with its addresses: where it was found, other mirrors,
 * snapshots. The key is the project's own file.
 */
export function wantedOfRpmRepository(
  repository: LockedRpmRepository,
  entries: readonly Pick<RpmEntry, 'name' | 'gpgkey'>[],
): LockedWanted[] {
  const { name, baseurl, mirrors, snapshot, timestamp, evidence, packages } = repository
  const source = `rpm ${name}`
  const snapshots = snapshot ? [withSlash(snapshot.replaceAll('{timestamp}', timestamp))] : []
  const bases = [baseurl, ...mirrors, ...snapshots]
  const key = entries.find((entry) => entry.name === name)?.gpgkey
  return [
    ...packages.map(({ name: rpm, version, arch, path, sha256, size }) => ({
      source,
      title: `rpm ${rpm} ${version} ${arch} of ${name}`,
      urls: addresses(bases, path),
      sha256,
      size,
    })),
    ...evidence.map(({ path, sha256, size }) => ({
      source,
      title: `${path} of ${source}`,
      urls: path.startsWith('keys/') ? (key ? [pathToFileURL(key).href] : []) : addresses(bases, path),
      sha256,
      size,
      // Without the key nothing of the repository can be checked, here or in the guest.
      ...(path.startsWith('keys/') ? {} : { tries: 2, evidence: true }),
    })),
  ]
}

/** Where a package lies, as the lock has it: relative to the repository's address, or a whole address. */
export function pathOf({ href, base }: Pick<DescribedRpm, 'href' | 'base'>, baseurl: string): string {
  return relativeTo(baseurl, base ? new URL(href, base).href : href)
}

function addresses(bases: readonly string[], path: string): string[] {
  return [...new Set(bases.map((base) => addressOf(base, path)))]
}
