import { access } from 'node:fs/promises'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { LockedRpm, LockedRpmRepository } from '../../lib/lock/lock.ts'
import { NOASSERTION } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import { Attempts } from '../attempts.ts'
import { type FetchOptions, fetchAll } from '../fetch/fetch.ts'
import type { ProgramRoot } from '../program-root.ts'
import { askDnf, type DescribedRpm, type DnfAnswer } from './dnf.ts'
import { faultOf } from './explained.ts'
import { obtain } from './obtain.ts'
import { forgedIndex, headersOf, SIGNATURE, unsignedPackages } from './signatures.ts'
import { pathOf, wantedOfRpmRepository } from './source.ts'
import { wronglySigned } from './tree.ts'
import { addressOf, type FoundRepository, findRepository, type RpmEntry } from './upstream.ts'

export interface LockingRpms {
  /** Has dnf and rpm. */
  root: ProgramRoot
  fetching: FetchOptions
  /** For what is not known to be right yet; on the same file system as the store. */
  directory: string
  /** A repository that is to stay as it was locked: dnf gets the index it had then. */
  kept(name: string): LockedRpmRepository | undefined
  /** What was locked so far. */
  before: readonly LockedRpmRepository[] | undefined
}

/** How many packages whose digest has to be found out first are downloaded at once. */
const AT_ONCE = 4

/**
 * Locks all RPM sources by one transaction of dnf into an empty install root. Packages are in the store afterwards,
 * each signed by the key of its repository.
 *
 * @throws ApplianceError `unsatisfiable` in dnf's words; `digest-mismatch` for an index, a package or a signature that
 *   is not what it should be; what a download throws
 */
export async function lockRpms(
  given: readonly RpmEntry[],
  options: LockingRpms,
): Promise<LockedRpmRepository[]> {
  // All are of one release, wherever it is written.
  const releasever = given.find((entry) => entry.releasever)?.releasever
  const entries = given.map((entry) => ({ ...entry, releasever }))
  const found: FoundRepository[] = []
  const attempts = new Attempts()
  for (const entry of entries) {
    const one = await attempts.of(
      async () => (await stillThere(entry, options)) ?? (await anew(entry, options)),
    )
    if (one) found.push(one)
  }
  attempts.refuse()
  const { store, signal } = options.fetching
  const forged: string[] = []
  for (const repository of found)
    forged.push(...(await forgedIndex(repository, options.root, { store, signal })))
  if (forged.length > 0) throw wronglySigned(forged)
  const sources = entries.map(({ name, packages, groups, modules, weak }, index) => {
    return { name, evidence: found[index]!.evidence, packages, groups, modules, weak }
  })
  const answer = await askDnf(options.root, sources, { task: 'solve' }, { store, releasever, signal })
  if (answer.faults.length > 0) throw faultOf(answer.faults, entries)
  for (const note of answer.notes) options.fetching.log.info(note)
  const locked = found.map((repository) => entryOf(repository, answer))
  for (const repository of locked) {
    const described = answer.packages!.filter(({ source }) => source === repository.name)
    repository.packages = await bring(repository, described, entries, options)
  }
  const unsigned: string[] = []
  for (const repository of locked)
    unsigned.push(...(await unsignedPackages(repository, options.root, { store, signal })))
  if (unsigned.length > 0) throw wronglySigned(unsigned)
  for (const repository of locked) await takeHeaders(repository, options)
  return locked
}

function entryOf(repository: FoundRepository, { modules, groups }: DnfAnswer): LockedRpmRepository {
  const { name } = repository
  return { ...repository, modules: modules?.[name] ?? [], groups: groups?.[name] ?? [], packages: [] }
}

/** A repository that stays, with its index in the store again; undefined where it cannot be had any more. */
async function stillThere(
  entry: RpmEntry,
  { kept, fetching }: LockingRpms,
): Promise<FoundRepository | undefined> {
  const repository = kept(entry.name)
  if (!repository) return undefined
  await fetchAll(wantedOfRpmRepository({ ...repository, packages: [] }, [entry]), fetching)
  for (const { sha256 } of repository.evidence)
    if (!(await exists(objectPath(fetching.store, sha256)))) {
      fetching.log.warn(
        `rpm ${entry.name}: the index it was locked with is gone, so it is resolved anew, too`,
      )
      return undefined
    }
  const { packages, modules, groups, ...found } = repository
  return found
}

async function anew(entry: RpmEntry, { fetching, directory, before }: LockingRpms): Promise<FoundRepository> {
  const { store, signal, ledger } = fetching
  const found = await findRepository(entry, { store, directory, signal, ledger })
  const was = before?.find(({ name }) => name === entry.name)
  const signed = ({ evidence }: FoundRepository) => evidence.some(({ path }) => path === SIGNATURE)
  if (was && signed(was) && !signed(found))
    throw new ApplianceError(
      'digest-mismatch',
      `rpm ${entry.name}: its index was signed when it was locked, and is not any more`,
      {
        hint: 'Ask upstream. If they really stopped signing it, remove the source from the lock and lock again.',
      },
    )
  return found
}

/** Downloads the packages, each checked against what the index says of it. */
async function bring(
  repository: LockedRpmRepository,
  described: readonly DescribedRpm[],
  entries: readonly RpmEntry[],
  { fetching, directory }: LockingRpms,
): Promise<LockedRpm[]> {
  const { baseurl, mirrors, name } = repository
  const locked: LockedRpm[] = []
  const queue = described[Symbol.iterator]()
  const { store, signal, ledger } = fetching
  const worker = async () => {
    for (const one of queue) {
      const path = pathOf(one, baseurl)
      const { checksum, size } = one
      const source = `rpm ${name}`
      const title = `rpm ${one.name} ${one.version} ${one.arch} of ${name}`
      const urls = [...new Set([baseurl, ...mirrors].map((base) => addressOf(base, path)))]
      const artefact =
        checksum.type === 'sha256'
          ? { sha256: checksum.hex, size }
          : await obtain({ source, title, urls, checksums: [checksum] }, { store, directory, signal, ledger })
      const license = one.license ?? NOASSERTION
      locked.push({ name: one.name, version: one.version, arch: one.arch, path, license, ...artefact })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  await fetchAll(wantedOfRpmRepository({ ...repository, packages: locked }, entries), fetching)
  return locked
}

/** The packages' own headers count, which are signed; an index may not be. */
async function takeHeaders(repository: LockedRpmRepository, { root, fetching }: LockingRpms): Promise<void> {
  const headers = await headersOf(repository.packages, root, fetching)
  for (const one of repository.packages) {
    const header = headers.get(one.sha256)!
    const [promised, is] = [one, header].map(({ name, version, arch }) => `${name} ${version} ${arch}`)
    if (promised !== is)
      throw new ApplianceError(
        'digest-mismatch',
        `rpm ${repository.name}: what its index calls ${promised} is ${is}`,
        { hint: 'The repository is broken, or somebody tampers with it: ask upstream.' },
      )
    one.license = header.license || NOASSERTION
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
