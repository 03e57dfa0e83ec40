import type { ErrorCode } from '../../lib/errors/error.ts'
import type { Lock, LockedDebRepository, LockedGemSource } from '../../lib/lock/lock.ts'
import { gitSourcesOf } from '../../lib/lock/repositories.ts'
import { counted } from '../../lib/units/counted.ts'
import { formatSize } from '../../lib/units/size.ts'
import { proveDebChain, proveDebClosure } from '../deb/proof.ts'
import type { LockedWanted } from '../fetch/fetch.ts'
import { proveFile } from '../file/proof.ts'
import { type GemProof, proveGems } from '../gem/proof.ts'
import { rubyOf } from '../gem/resolve.ts'
import { rubyIn } from '../gem/ruby-root.ts'
import { proveGit } from '../git/proof.ts'
import { rootAt } from '../program-root.ts'
import { proveRpmChain, proveRpmClosure, type RpmProof, rpmProof } from '../rpm/proof.ts'
import { changedInTree } from '../tree-record.ts'
import { damagedIn } from './bytes.ts'
import type { ProofOptions } from './proof.ts'

/** One thing to be proved: of what, what is proved, and which error it is when it is not so. */
export interface Claim {
  of: string
  says: string
  code: ErrorCode
  /** What is wrong, a line each. */
  prove(): Promise<readonly string[]>
}

const CLOSURE = 'all install into an empty root from the mirror alone'

/** Everything that is to be proved of a mirror: bytes first, then signatures, then what takes longest. */
export function claimsOf(lock: Lock, wanted: readonly LockedWanted[], options: ProofOptions): Claim[] {
  const { paths, work } = options
  const bytes = wanted.reduce((sum, { size = 0 }) => sum + size, 0)
  return [
    {
      of: counted(wanted.length, 'artefact'),
      says: `every byte, ${formatSize(bytes)}`,
      code: 'digest-mismatch',
      prove: () => damagedIn(paths.store, wanted, work.signal),
    },
    {
      of: 'the repositories',
      says: 'every file as it was written, and no other',
      code: 'digest-mismatch',
      prove: () => changedInTree(paths.tree, true),
    },
    ...fileClaims(lock, options),
    ...debChains(lock, options),
    ...rpmClaims(lock, options),
    ...gitClaims(lock, options),
    ...debClosure('deb', lock.deb, 'deb', options),
    ...debClosure('tools deb', lock.tools.deb, 'tools/deb', options),
    ...gemClaims(lock, options),
  ]
}

function debChains(lock: Lock, options: ProofOptions): Claim[] {
  const { mirror, tools } = options.work.project.spec
  const chain = (title: string, repository: LockedDebRepository, keyring: string): Claim => ({
    of: `${title} ${repository.name}`,
    says: `signature → index → ${counted(repository.packages.length, 'package')}`,
    code: 'digest-mismatch',
    prove: () => proveDebChain(title, repository, keyring, options),
  })
  const keyringOf = (name: string) => mirror.deb.find((source) => source.name === name)?.signedBy
  return [
    ...lock.deb.map((one) => chain('deb', one, keyringOf(one.name) ?? tools.signedBy)),
    ...lock.tools.deb.map((one) => chain('tools deb', one, tools.signedBy)),
  ]
}

function debClosure(
  title: string,
  repositories: readonly LockedDebRepository[],
  tree: string,
  options: ProofOptions,
): Claim[] {
  if (repositories.length === 0) return []
  return [
    {
      of: `${title} ${repositories.map(({ name }) => name).join(', ')}`,
      says: CLOSURE,
      code: 'unsatisfiable',
      prove: () => proveDebClosure(title, repositories, tree, options),
    },
  ]
}

function rpmClaims({ rpm }: Lock, options: ProofOptions): Claim[] {
  if (rpm.length === 0) return []
  // The programs' root is made when it is first needed.
  let made: Promise<RpmProof> | undefined
  const proof = () => (made ??= rpmProof(options))
  const keyOf = (name: string) =>
    options.work.project.spec.mirror.rpm.find((source) => source.name === name)?.gpgkey
  return [
    ...rpm.map(
      (one): Claim => ({
        of: `rpm ${one.name}`,
        says: `key → index → ${counted(one.packages.length, 'package')}, and their own signatures`,
        code: 'digest-mismatch',
        prove: async () => await proveRpmChain(one, keyOf(one.name), await proof()),
      }),
    ),
    {
      of: `rpm ${rpm.map(({ name }) => name).join(', ')}`,
      says: CLOSURE,
      code: 'unsatisfiable',
      prove: async () => await proveRpmClosure(rpm, await proof()),
    },
  ]
}

function gitClaims(lock: Lock, options: ProofOptions): Claim[] {
  const sources = gitSourcesOf(lock)
  return sources.map(
    (source): Claim => ({
      of: `git ${source.name}`,
      says: `every object, and a clone from the mirror alone${source.submodules.length > 0 ? ', submodules and all' : ''}`,
      code: 'digest-mismatch',
      prove: () => proveGit(source, sources, options),
    }),
  )
}

/** In the roots of the packages, which are made before. */
function gemClaims(lock: Lock, { paths, work, roots }: ProofOptions): Claim[] {
  const entryOf = (name: string) => work.project.spec.mirror.gem.find((entry) => entry.name === name)
  const claim = (source: LockedGemSource, folder: string): Claim => {
    const entry: GemProof['entry'] = entryOf(source.name) ?? {}
    const program = entry.gemfile ? 'bundle install' : 'gem install'
    const of = `${folder.replaceAll('/', ' ')} ${source.name}`
    return {
      of,
      says: `${counted(source.gems.length, 'gem')}, ${program} into an empty root from the mirror alone`,
      code: 'unsatisfiable',
      prove: async () => {
        const root = roots.get(rubyOf(source, lock.deb) === 'guest' ? 'deb' : 'tools/deb')
        if (root === undefined) return [`${of}: not proved, as the packages of its Ruby do not install`]
        return await proveGems(source, rubyIn(await rootAt(root)), {
          lock,
          tree: paths.tree,
          folder: `${folder}/${source.name}`,
          entry,
          signal: work.signal,
          note: (line) => work.log.info(line),
        })
      },
    }
  }
  return [
    ...lock.gem.map((one) => claim(one, 'gem')),
    ...lock.tools.gem.map((one) => claim(one, 'tools/gem')),
  ]
}

function fileClaims(lock: Lock, options: ProofOptions): Claim[] {
  return (['file', 'iso'] as const).flatMap((kind) =>
    lock[kind]
      .filter(({ evidence, sha512 }) => evidence.length > 0 || sha512 !== undefined)
      .map(
        (one): Claim => ({
          of: `${kind} ${one.name}`,
          says: one.evidence.length > 0 ? 'its signature' : 'its sha512',
          code: 'digest-mismatch',
          prove: () => proveFile(kind, one, options),
        }),
      ),
  )
}
