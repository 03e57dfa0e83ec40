import { join } from 'node:path'
import { ApplianceError, type ErrorCode } from '../../lib/errors/error.ts'
import type { Lock } from '../../lib/lock/lock.ts'
import { counted } from '../../lib/units/counted.ts'
import { formatDuration } from '../../lib/units/duration.ts'
import type { LockedWanted } from '../fetch/fetch.ts'
import { claimsOf } from './claims.ts'
import type { ProofOptions } from './proof.ts'
import { ProofRoots } from './roots.ts'

const SHOWN = 50

/**
 * Proves, offline, that the mirror is what the lock says: every byte; signature → index → artefact, from the evidence;
 * and that its repositories install into an empty root from its tree alone. Changes nothing.
 *
 * @param wanted every object that the store is to hold
 * @throws ApplianceError `digest-mismatch` (`unsatisfiable`, where all bytes are right and something is missing) with
 *   all that is wrong, a line each
 */
export async function prove(
  lock: Lock,
  wanted: readonly LockedWanted[],
  options: Omit<ProofOptions, 'roots'>,
): Promise<void> {
  const { log, signal, workDirectory } = options.work
  await using roots = new ProofRoots(join(workDirectory, 'roots'))
  const faults: string[] = []
  const codes = new Set<ErrorCode>()
  for (const { of, says, code, prove } of claimsOf(lock, wanted, { ...options, roots })) {
    signal.throwIfAborted()
    const began = performance.now()
    const found = await prove()
    const time = formatDuration(performance.now() - began)
    log.info(
      found.length === 0
        ? `proved ${of}: ${says} (${time})`
        : `${of}: ${counted(found.length, 'fault')} (${time})`,
    )
    faults.push(...found)
    if (found.length > 0) codes.add(code)
  }
  if (faults.length === 0) return
  const shown = faults.slice(0, SHOWN)
  if (faults.length > SHOWN) shown.push(`and ${faults.length - SHOWN} more`)
  throw new ApplianceError(
    codes.size === 1 ? [...codes][0]! : 'digest-mismatch',
    `the mirror is not what the lock says:\n${shown.join('\n')}`,
    {
      hint: 'Run `appliance mirror-deps` without --verify: it fetches what is damaged and writes the repositories anew.',
    },
  )
}
