import { lstat, mkdir } from 'node:fs/promises'
import { ApplianceError } from '../../lib/errors/error.ts'
import { digestFile } from '../../lib/files/digest.ts'
import type { LockedFile } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import type { ProofOptions } from '../proof/proof.ts'
import { proven, type Reach, reachOf, type SignedFile } from './evidence.ts'
import type { FileKind } from './source.ts'

/**
 * Signature → (list →) file, from the evidence, by gpgv, and the digests that the lock has beside SHA-256. What a
 * key that has expired since signed while it was good still holds. Returns what is wrong, a line each.
 */
export async function proveFile(
  kind: FileKind,
  file: LockedFile,
  { paths, work }: Pick<ProofOptions, 'paths' | 'work'>,
): Promise<string[]> {
  const title = `${kind} ${file.name}`
  const object = objectPath(paths.store, file.sha256)
  // That it is not here is said where every byte is read.
  if (!(await isHere(object))) return []
  const faults: string[] = []
  let known: string | undefined
  const sha512 = async () => {
    known ??= await digestFile('sha512', object, work.signal)
    return known
  }
  if (file.sha512 !== undefined && (await sha512()) !== file.sha512)
    faults.push(`${title}: other bytes than locked: its sha512 is not ${file.sha512}`)
  const lost = await lostOf(file, paths.store)
  if (lost.length > 0)
    work.log.warn(
      `${title}: not proved by its signature, only by the lock: ${lost.join(', ')} is not in the mirror`,
    )
  const reach = lost.length > 0 ? undefined : await reachOf(file, paths.store)
  if (!reach) return faults
  try {
    return [...faults, ...(await unlisted({ ...file, title }, reach, object, sha512, { paths, work }))]
  } catch (error) {
    if (!(error instanceof ApplianceError) || !['digest-mismatch', 'gone'].includes(error.code)) throw error
    return [...faults, error.message]
  }
}

/** Where a signed list says something else than what is here. */
async function unlisted(
  file: LockedFile & SignedFile,
  reach: Reach,
  object: string,
  sha512: () => Promise<string>,
  { paths, work }: Pick<ProofOptions, 'paths' | 'work'>,
): Promise<string[]> {
  await mkdir(work.workDirectory, { recursive: true })
  const reading = { store: paths.store, scratch: work.workDirectory, signal: work.signal }
  const { promised, notes } = await proven(file, reach, object, reading)
  for (const note of notes) work.log.info(`${file.title}: ${note}`)
  const other = (kind: string, digest: string) =>
    `${file.title}: its signed list says ${kind} ${digest}, which is not what is locked`
  return [
    ...(promised.sha256 === undefined || promised.sha256 === file.sha256
      ? []
      : [other('sha256', promised.sha256)]),
    ...(promised.sha512 === undefined || promised.sha512 === (await sha512())
      ? []
      : [other('sha512', promised.sha512)]),
  ]
}

/** Evidence that is not in the mirror. */
async function lostOf({ evidence }: LockedFile, store: string): Promise<string[]> {
  const lost: string[] = []
  for (const { path, sha256 } of evidence) if (!(await isHere(objectPath(store, sha256)))) lost.push(path)
  return lost
}

async function isHere(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isFile() ?? false
}
