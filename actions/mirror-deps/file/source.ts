import { rm, stat } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { ApplianceError } from '../../lib/errors/error.ts'
import { refuse } from '../../lib/errors/fault.ts'
import { digestFile } from '../../lib/files/digest.ts'
import {
  type Artefact,
  type Digest,
  type Evidence,
  type LockedFile,
  NOASSERTION,
} from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import type { Spec } from '../../lib/spec/spec.ts'
import { Credentials, loginOf, unsetSecrets } from '../fetch/credentials.ts'
import { download, type Wanted } from '../fetch/download.ts'
import { mismatch, type Promiser } from '../fetch/faults.ts'
import { type FetchOptions, fetchAll, type LockedWanted, partialsOf } from '../fetch/fetch.ts'
import { verifiedOf } from '../fetch/present.ts'
import { sourceProgress } from '../fetch/source-progress.ts'
import type { Resolver } from '../resolver.ts'
import type { Promised } from './digest-list.ts'
import { keyName, proven, reachOf, unproven } from './evidence.ts'
import { signedBy } from './signed.ts'

export type FileEntry = Spec['mirror']['file'][number]

/** A file and an ISO image are one thing in two folders. */
export type FileKind = 'file' | 'iso'

/** What was hashed on its way into the store, by the locking it was needed for. */
const hashed = new WeakMap<Resolver, Digest[]>()

function hashedOf(resolver: Resolver): Digest[] {
  const list = hashed.get(resolver) ?? []
  hashed.set(resolver, list)
  return list
}

/** Fetching need not read again what locking has hashed; noted at once for all files, be they ten thousand. */
export async function noteHashed(resolver: Resolver): Promise<void> {
  const { store } = resolver.paths
  const verified = await verifiedOf(store)
  for (const sha256 of hashedOf(resolver)) verified.note(sha256, await stat(objectPath(store, sha256)))
  await verified.write()
}

/** Names all credentials that the environment lacks, before anything is downloaded. */
export function requireSecrets({ file, iso }: Spec['mirror'], stays: Resolver['stays']): void {
  const sources = [
    ...file.map((entry) => [`file ${entry.name}`, entry] as const),
    ...iso.map((entry) => [`iso ${entry.name}`, entry] as const),
  ]
  refuse(
    sources.flatMap(([source, { auth }]) => (stays(source) ? [] : unsetSecrets(source, auth, process.env))),
  )
}

/** Downloads, several at once, those files of which the spec says what they are, and names all that are not there. */
export async function fetchPromised(resolver: Resolver): Promise<true> {
  const { file, iso } = resolver.work.project.spec.mirror
  const promised = (kind: FileKind, entries: readonly FileEntry[]) =>
    entries.flatMap((entry) => {
      const { name, sha256 } = entry
      const source = `${kind} ${name}`
      if (sha256 === undefined || resolver.stays(source)) return []
      return [{ ...addressesOf(source, entry), source, sha256, promiser: 'the spec' as const }]
    })
  const wanted = [...promised('file', file), ...promised('iso', iso)]
  if (wanted.length > 0) await fetchAll(wanted, fetchOptions(resolver))
  return true
}

function addressesOf(title: string, entry: FileEntry): Wanted {
  return { title, urls: [entry.url, ...entry.mirrors], login: loginOf(entry), locked: false }
}

function fetchOptions({ work, paths, ledger }: Resolver): FetchOptions {
  const { log, signal } = work
  return { store: paths.store, sharedStore: paths.shared, log, signal, verify: false, ledger }
}

/**
 * Brings a file into the store and says what it is: as its spec, and its signature, say it should be; where neither
 * says anything, as it is now.
 */
export async function lockFile(kind: FileKind, entry: FileEntry, resolver: Resolver): Promise<LockedFile> {
  const { work, paths } = resolver
  const { store } = paths
  const { name, url, mirrors, license = NOASSERTION } = entry
  const title = `${kind} ${name}`
  const fetching = new FileFetching(title, entry, resolver)
  const evidence = await fetching.evidence()
  const reading = { store, scratch: work.workDirectory, signal: work.signal }
  const file = { title, url, evidence }
  const reach = await reachOf(file, store)
  const listed =
    reach && reach.signed.what !== 'file' ? await proven(file, reach, undefined, reading) : undefined
  const { sha256, sha512 } = agreed(title, definedOf(entry), listed?.promised ?? {})
  const by = (kind: keyof Promised) => (entry[kind] === undefined ? 'its signed list' : 'the spec')
  const { sha256: digest, size } = await fetching.file(sha256, by('sha256'))
  const object = objectPath(store, digest)
  if (sha512 !== undefined) {
    const got = await digestFile('sha512', object, work.signal)
    if (got !== sha512) {
      await rm(object)
      throw mismatch(title, url, `sha512 ${sha512}`, got, by('sha512'))
    }
  }
  const direct = reach && !listed ? await proven(file, reach, object, reading) : undefined
  for (const note of [...(listed?.notes ?? []), ...(direct?.notes ?? [])]) {
    // Who signs with a key that is no longer good may not be who signed with it then.
    if (entry.sha256 === undefined && entry.sha512 === undefined)
      throw unproven(file, `${reach!.signature.path}: ${note}`, expiredHint)
    work.log.warn(`${title}: ${note}`)
  }
  if (!reach && sha256 === undefined && sha512 === undefined)
    work.log.info(`${title}: nothing says what it should be; locked as it is now, sha256 ${digest}`)
  return {
    name,
    url,
    mirrors,
    license,
    sha256: digest,
    size,
    ...(sha512 === undefined ? {} : { sha512 }),
    evidence,
  }
}

const expiredHint =
  'Is there a newer edition of the key, in which its owner has prolonged it? Or vouch for the file yourself, by sha256:.'

/** What the spec and the signed list promise, together. */
function agreed(title: string, spec: Promised, listed: Promised): Promised {
  for (const kind of ['sha256', 'sha512'] as const)
    if (spec[kind] !== undefined && listed[kind] !== undefined && spec[kind] !== listed[kind])
      throw new ApplianceError(
        'digest-mismatch',
        `${title}: its signed list says ${kind} ${listed[kind]}, the spec says ${spec[kind]}`,
        { hint: 'Which of them is of the release you want? Correct the spec.' },
      )
  return { ...listed, ...spec }
}

function definedOf({ sha256, sha512 }: FileEntry): Promised {
  return { ...(sha256 === undefined ? {} : { sha256 }), ...(sha512 === undefined ? {} : { sha512 }) }
}

/** Downloads of one entry, into the store. */
class FileFetching {
  private readonly title: string
  private readonly entry: FileEntry
  private readonly resolver: Resolver
  private readonly credentials: Credentials

  constructor(title: string, entry: FileEntry, resolver: Resolver) {
    this.title = title
    this.entry = entry
    this.resolver = resolver
    this.credentials = new Credentials(process.env, (secret) => resolver.work.log.mask(secret))
  }

  /** Signature, list, keys. */
  async evidence(): Promise<Evidence[]> {
    const { signature, keyring, url } = this.entry
    if (signature === undefined || keyring === undefined) return []
    const files = [await this.keep(signature, signature)]
    const { store } = this.resolver.paths
    const signed = await signedBy(signature, url, objectPath(store, files[0]!.sha256))
    if (signed.what === 'list') files.push(await this.keep(signed.url, signed.url))
    files.push(await this.keep(keyName(keyring), pathToFileURL(keyring).href))
    return files.sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  private async keep(path: string, url: string): Promise<Evidence> {
    return { path, ...(await this.download({ title: `${path} of ${this.title}`, urls: [url] })) }
  }

  /** The file itself. */
  async file(sha256: string | undefined, promiser: Promiser): Promise<Artefact> {
    const wanted = addressesOf(this.title, this.entry)
    if (sha256 === undefined) return await this.download(wanted)
    await fetchAll([{ ...wanted, source: this.title, sha256, promiser }], fetchOptions(this.resolver))
    return { sha256, size: (await stat(objectPath(this.resolver.paths.store, sha256))).size }
  }

  /** What nobody has told us the digest of. */
  private async download(wanted: Wanted): Promise<Artefact> {
    const { work, paths, ledger } = this.resolver
    const progress = sourceProgress(work.log, [{ source: wanted.title }])
    try {
      const login = loginOf(this.entry)
      const { transferred, ...artefact } = await download(
        { locked: false, ...wanted, login },
        (sha256) => objectPath(paths.store, sha256),
        {
          signal: work.signal,
          partials: partialsOf(paths.store),
          credentials: this.credentials,
          onBytes: (bytes, moved) => progress.add(wanted.title, bytes, moved),
        },
      )
      ledger.note(this.title, artefact, 'downloaded', transferred)
      hashedOf(this.resolver).push(artefact.sha256)
      return artefact
    } finally {
      progress.done()
    }
  }
}

/**
 * Everything of locked files that is to be in the store.
 *
 * @param entries of the spec, for what the lock does not hold: credentials, and where the keys are
 */
export function wantedOfFiles(
  kind: FileKind,
  locked: readonly LockedFile[],
  entries: readonly FileEntry[],
): LockedWanted[] {
  const byName = new Map(entries.map((entry) => [entry.name, entry]))
  return locked.flatMap(({ name, url, mirrors, sha256, size, evidence }) => {
    const title = `${kind} ${name}`
    const entry = byName.get(name)
    const login = entry && loginOf(entry)
    const keys = entry?.keyring === undefined ? [] : [pathToFileURL(entry.keyring).href]
    return [
      { source: title, title, urls: [url, ...mirrors], sha256, size, login },
      ...evidence.map((one) => ({
        source: title,
        title: `${one.path} of ${title}`,
        urls: one.path.startsWith('keys/') ? keys : [one.path],
        sha256: one.sha256,
        size: one.size,
        tries: 2,
        evidence: true,
        login,
      })),
    ]
  })
}
