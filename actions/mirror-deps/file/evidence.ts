import { mkdtemp, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { Evidence, LockedFile } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import { signersOf, verdictOn } from '../deb/signature.ts'
import { type Promised, promisedIn } from './digest-list.ts'
import { type Signed, signedBy } from './signed.ts'

/** A file, its signature, and the keys that may have made it, all in the store. */
export interface SignedFile extends Pick<LockedFile, 'url' | 'evidence'> {
  /** For messages: `iso debian`. */
  title: string
}

export interface Reading {
  store: string
  /** A folder for what is only needed here. */
  scratch: string
  signal: AbortSignal
}

/** What the signature of a file signs. */
export interface Reach {
  signed: Signed
  signature: Evidence
}

/** Lists and signatures are texts; what is larger is none. Bytes. */
const LARGEST = 16 << 20

/** The signature among the evidence, and what it is of; undefined: the file has none. */
export async function reachOf(
  { url, evidence }: Pick<SignedFile, 'url' | 'evidence'>,
  store: string,
): Promise<Reach | undefined> {
  const addresses = evidence.filter(({ path }) => !path.startsWith('keys/'))
  // With a list there are two, and one is the other's name with something at its end.
  const signature = addresses.toSorted((a, b) => b.path.length - a.path.length)[0]
  if (!signature) return undefined
  const path = objectPath(store, signature.sha256)
  return { signature, signed: await signedBy(signature.path, url, path) }
}

/** What a file's signature proves: who says so, and, where it is a list that is signed, the digests. */
export interface Proven {
  /** Empty where the file itself is signed. */
  promised: Promised
  /** What a person should know: a key that has expired since. */
  notes: string[]
}

/**
 * Verifies, offline, the signature of a file or of the list that names it, by gpgv.
 *
 * @param object where the file lies; needed where it is signed itself
 * @throws ApplianceError `digest-mismatch`, naming file, signature and key
 */
export async function proven(
  file: SignedFile,
  { signature, signed }: Reach,
  object: string | undefined,
  { store, scratch, signal }: Reading,
): Promise<Proven> {
  const keys = file.evidence.find(({ path }) => path.startsWith('keys/'))
  if (!keys) throw unproven(file, 'the lock names no key for its signature')
  const folder = await mkdtemp(join(scratch, 'signature-'))
  try {
    const list = signed.what === 'list' ? evidenceAt(file, signed.url) : undefined
    const of = list ? objectPath(store, list.sha256) : signed.what === 'file' ? object : undefined
    if (signed.what === 'file' && of === undefined) throw unproven(file, 'it is not here')
    const given = {
      signature: objectPath(store, signature.sha256),
      ...(of === undefined ? {} : { of }),
      keyring: objectPath(store, keys.sha256),
      scratch: folder,
      signal,
    }
    if (signed.what === 'file') {
      const { good, said } = await signersOf(given)
      if (!good) throw unproven(file, `${signature.path}: ${said.join('; ')}`)
      return { promised: {}, notes: said }
    }
    for (const { path, size } of list ? [list] : [signature])
      if (size > LARGEST) throw unproven(file, `${path} is no list of digests: it has ${size} bytes`)
    const { text, said } = await verdictOn(given)
    if (text === undefined) throw unproven(file, `${signature.path}: ${said.join('; ')}`)
    return { promised: promisedBy(text, file, signed, signature), notes: said }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function evidenceAt(file: SignedFile, url: string): Evidence {
  const found = file.evidence.find(({ path }) => path === url)
  if (!found) throw unproven(file, `${url} is not among its evidence`)
  return found
}

function promisedBy(list: string, file: SignedFile, signed: Signed, signature: Evidence): Promised {
  const promised = promisedIn(list, file.url)
  if (promised) return promised
  const place = signed.what === 'list' ? signed.url : signature.path
  throw new ApplianceError(
    'gone',
    `${file.title}: the signed list at ${place} does not name ${basename(new URL(file.url).pathname)}`,
    { hint: 'Does url: name the file in the same folder and of the same release as signature:?' },
  )
}

/** A signature that proves nothing. */
export function unproven(
  { title }: Pick<SignedFile, 'title'>,
  why: string,
  hint = 'Look at signature: and keyring: in the spec. If they are right, somebody else answers for it.',
): ApplianceError {
  return new ApplianceError('digest-mismatch', `${title}: the signature does not hold: ${why}`, { hint })
}

/** Where the keys are among the evidence. */
export function keyName(keyring: string): string {
  return `keys/${basename(keyring)}`
}
