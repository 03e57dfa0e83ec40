import { stat } from 'node:fs/promises'
import { sha256File } from '../../lib/files/digest.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import type { LockedWanted } from '../fetch/fetch.ts'

/** Files read at the same time: hashing goes on while the next one is read. */
const AT_ONCE = 4

/** Every byte of the store against the lock; what is wrong, a line each. Evidence that upstream took back is not. */
export async function damagedIn(
  store: string,
  wanted: readonly LockedWanted[],
  signal: AbortSignal,
): Promise<string[]> {
  const unique = [...new Map(wanted.map((one) => [one.sha256, one])).values()]
  const faults: string[] = []
  const queue = unique[Symbol.iterator]()
  const worker = async () => {
    for (const one of queue) {
      const fault = await faultOf(one, objectPath(store, one.sha256), signal)
      if (fault) faults.push(fault)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return faults.sort()
}

async function faultOf(
  { title, sha256, size, evidence }: LockedWanted,
  path: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const there = await stat(path).catch(() => undefined)
  if (!there) return evidence ? undefined : `${title}: is not in the mirror`
  if (size !== undefined && there.size !== size) return `${title}: has ${there.size} bytes instead of ${size}`
  const found = await sha256File(path, signal)
  return found === sha256 ? undefined : `${title}: other bytes than locked: sha256 ${found}, not ${sha256}`
}
