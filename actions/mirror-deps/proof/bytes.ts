import type { LockedWanted } from '../fetch/fetch.ts'
import { presentOf, verifiedOf } from '../fetch/present.ts'

/** Every byte of the store against the lock; what is wrong, a line each. Evidence that upstream took back is not. */
export async function damagedIn(
  store: string,
  wanted: readonly LockedWanted[],
  signal: AbortSignal,
): Promise<string[]> {
  const present = await presentOf(wanted, await verifiedOf(store), { store, signal, verify: true })
  const faults = wanted.flatMap(({ title, sha256, size, evidence }) => {
    const { state, size: found } = present.get(sha256)!
    if (state === 'whole' || (state === 'absent' && evidence)) return []
    if (state === 'absent') return [`${title}: is not in the mirror`]
    return [
      size !== undefined && found !== size
        ? `${title}: has ${found} bytes, not the ${size} of the lock`
        : `${title}: its bytes are not those of the lock (sha256 ${sha256})`,
    ]
  })
  return [...new Set(faults)].sort()
}
