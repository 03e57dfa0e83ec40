import { ApplianceError, type ErrorCode } from '../../lib/errors/error.ts'
import type { Lock } from '../../lib/lock/lock.ts'
import { formatDuration } from '../../lib/units/duration.ts'
import { formatSize } from '../../lib/units/size.ts'
import { proveDebChain, proveDebClosure } from '../deb/proof.ts'
import type { LockedWanted } from '../fetch/fetch.ts'
import { proveFiles } from '../file/proof.ts'
import { damagedIn } from './bytes.ts'
import type { ProofOptions } from './proof.ts'

/** One thing to be proved: of what, what is proved, and which error it is when it is not so. */
interface Claim {
  of: string
  says: string
  code: ErrorCode
  prove(): Promise<readonly string[]>
}

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
  options: ProofOptions,
): Promise<void> {
  const { log, signal } = options.work
  const faults: string[] = []
  const codes = new Set<ErrorCode>()
  for (const { of, says, code, prove } of claimsOf(lock, wanted, options)) {
    signal.throwIfAborted()
    const began = performance.now()
    const found = await prove()
    const time = formatDuration(performance.now() - began)
    log.info(
      found.length === 0 ? `proved ${of}: ${says} (${time})` : `${of}: ${found.length} faults (${time})`,
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

function claimsOf(lock: Lock, wanted: readonly LockedWanted[], options: ProofOptions): Claim[] {
  const { paths, work } = options
  const bytes = wanted.reduce((sum, { size = 0 }) => sum + size, 0)
  const chain = (title: string, repository: Lock['deb'][number], keyring: string): Claim => ({
    of: `${title} ${repository.name}`,
    says: `signature → index → ${repository.packages.length} packages`,
    code: 'digest-mismatch',
    prove: () => proveDebChain(title, repository, keyring, options),
  })
  const closure = (title: string, repositories: Lock['deb'], tree: string): Claim[] =>
    repositories.length === 0
      ? []
      : [
          {
            of: `${title} ${repositories.map(({ name }) => name).join(', ')}`,
            says: 'install into an empty root from the mirror alone',
            code: 'unsatisfiable',
            prove: () => proveDebClosure(title, repositories, tree, options),
          },
        ]
  const signed = (kind: 'file' | 'iso', locked: Lock['file']): Claim[] =>
    locked.some(({ evidence, sha512 }) => evidence.length > 0 || sha512)
      ? [
          {
            of: `${kind}s ${locked.map(({ name }) => name).join(', ')}`,
            says: 'signature → file, where upstream signs',
            code: 'digest-mismatch',
            prove: () => proveFiles(kind)(locked, options),
          },
        ]
      : []
  const { mirror, tools } = work.project.spec
  const keyringOf = (name: string) => mirror.deb.find((source) => source.name === name)?.signedBy
  return [
    {
      of: `${wanted.length} artefacts`,
      says: `every byte, ${formatSize(bytes)}`,
      code: 'digest-mismatch',
      prove: () => damagedIn(paths.store, wanted, work.signal),
    },
    ...lock.deb.map((repository) => chain('deb', repository, keyringOf(repository.name) ?? tools.signedBy)),
    ...lock.tools.deb.map((repository) => chain('tools deb', repository, tools.signedBy)),
    ...signed('file', lock.file),
    ...signed('iso', lock.iso),
    ...closure('deb', lock.deb, 'deb'),
    ...closure('tools deb', lock.tools.deb, 'tools/deb'),
  ]
}
