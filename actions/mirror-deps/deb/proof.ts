import { chmod, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ApplianceError, CommandFailed } from '../../lib/errors/error.ts'
import type { LockedDeb, LockedDebRepository } from '../../lib/lock/lock.ts'
import { bootstrapRoot } from '../../lib/mirror/bootstrap.ts'
import { asRoot } from '../../lib/process/as-root.ts'
import type { ProofOptions } from '../proof/proof.ts'
import { PrivateApt } from './apt.ts'
import { architecturesOf } from './architectures.ts'
import { proveIndexes, provePackages } from './chain.ts'

/** Signature → index → package, from the evidence. What is no longer in the mirror is named in a warning. */
export async function proveDebChain(
  title: string,
  repository: LockedDebRepository,
  keyring: string,
  { paths, work }: ProofOptions,
): Promise<string[]> {
  const of = `${title} ${repository.name}`
  const directory = join(work.workDirectory, 'chain', title.replace(' ', '-'), repository.name)
  const chain = await proveIndexes(repository, {
    store: paths.store,
    directory,
    keyring,
    signal: work.signal,
  })
  const faults = [...chain.faults, ...(await provePackages(repository, chain, work.signal))]
  await rm(directory, { recursive: true, force: true })
  for (const note of chain.notes) work.log.info(`${of}: ${note}`)
  const lost = chain.missing.filter((path) => !path.startsWith('keys/'))
  if (lost.length > 0)
    work.log.warn(
      `${of}: not proved from upstream's signature, only by the lock: ${lost.join(', ')} is not in the mirror`,
    )
  return faults.map((fault) => `${of}: ${fault}`)
}

/**
 * That the repositories, as they lie in the mirror's tree, install into an empty root, all packages with exactly the
 * bytes of the lock and with their maintainer scripts, in a place without any network. The root is kept in `roots`.
 *
 * @param tree the repositories' folder in the tree: `deb`, `tools/deb`
 */
export async function proveDebClosure(
  title: string,
  repositories: readonly LockedDebRepository[],
  tree: string,
  { paths, work, roots }: ProofOptions,
): Promise<string[]> {
  const packages = repositories.flatMap((repository) => repository.packages)
  if (packages.length === 0) return []
  const of = `${title} ${repositories.map(({ name }) => name).join(', ')}`
  // apt's lists of sources know no blanks in paths, which a project's folder may have.
  await using plain = await plainLink(join(paths.tree, tree))
  const names = repositories.map(({ name }) => name)
  const solved = await solveAll(repositories, plain.path, work.workDirectory, work.signal)
  if (solved.length > 0) return solved.map((fault) => `${of}: ${fault}`)
  const foreign = architecturesOf(repositories).filter((one) => one !== 'amd64')
  const root = roots.place(tree)
  await mkdir(dirname(root), { recursive: true })
  const options = {
    tree: plain.path,
    repositories: names,
    packages: packages.map(exactly),
    signal: work.signal,
    offline: true,
    arguments: [
      '--verbose', // or it keeps to itself what failed
      ...(foreign.length > 0 ? [`--architectures=${['amd64', ...foreign].join(',')}`] : []),
    ],
  }
  // Without the Essential packages nothing can run in the root.
  const whole = packages.some(({ name }) => name === 'dpkg')
  if (whole) {
    const failure = await failureOf(bootstrapRoot(root, { ...options, variant: 'essential' }))
    // A script that expects a running machine says nothing against the mirror, if all is there.
    if (failure !== undefined && !/script subprocess/.test(failure))
      return [`${of}: they do not install into an empty root: ${failure}`]
    if (failure === undefined) {
      roots.keep(tree)
      return []
    }
    work.log.warn(`${of}: only unpacked, because a package's own script fails in an empty root: ${failure}`)
    await asRoot('rm', ['-rf', root], {})
  }
  const failure = await failureOf(bootstrapRoot(root, { ...options, variant: 'extract' }))
  if (failure !== undefined) return [`${of}: they do not unpack into an empty root: ${failure}`]
  roots.keep(tree)
  return []
}

/** What mmdebstrap said when it failed; undefined when it did not. */
async function failureOf(work: Promise<void>): Promise<string | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    if (error instanceof CommandFailed) return whatFailed(error)
    throw error
  }
}

/** apt's own solution of all packages at once; or what is wrong with it. */
async function solveAll(
  repositories: readonly LockedDebRepository[],
  tree: string,
  directory: string,
  signal: AbortSignal,
): Promise<string[]> {
  const sources = repositories.map((repository) => ({
    name: repository.name,
    uri: `file://${tree}/${repository.name}`,
    suites: ['appliance'],
    components: ['main'],
    architectures: architecturesOf([repository]),
    signedBy: join(tree, 'appliance-mirror.gpg'),
  }))
  const locked = repositories.flatMap(({ packages }) => packages)
  try {
    const apt = await PrivateApt.make(join(directory, 'proof-apt'), sources, signal)
    await apt.update()
    const solved = new Map((await apt.solve(locked.map(exactly))).map((one) => [identity(one), one.sha256]))
    const wrong = locked
      .filter((one) => solved.get(identity(one)) !== one.sha256)
      .map((one) => `the mirror's index has other bytes for ${identity(one)} than the lock`)
    const known = new Set(locked.map(identity))
    const more = [...solved.keys()].filter((one) => !known.has(one))
    return [...wrong, ...more.map((one) => `the mirror's index has ${one}, which is not in the lock`)]
  } catch (error) {
    if (
      error instanceof ApplianceError &&
      ['unsatisfiable', 'digest-mismatch', 'unreachable'].includes(error.code)
    )
      return [error.message]
    throw error
  }
}

function identity({ name, version, arch }: Pick<LockedDeb, 'name' | 'version' | 'arch'>): string {
  return `${name} ${version} (${arch})`
}

/** As apt-get takes a package of one version and architecture. */
function exactly({ name, version, arch }: LockedDeb): string {
  return `${name}${arch === 'all' || arch === 'amd64' ? '' : `:${arch}`}=${version}`
}

/** The lines of a failed mmdebstrap that say why; its command lines name every package. */
function whatFailed({ stderrTail, message }: CommandFailed): string {
  const lines = stderrTail.split('\n').map((line) => line.trim())
  const said = lines.filter(
    (line) => /^E: |^dpkg: error|Depends:|script subprocess/.test(line) && line.length < 300,
  )
  return said.length > 0 ? [...new Set(said)].slice(0, 6).join('; ') : message.slice(0, 300)
}

interface PlainLink extends AsyncDisposable {
  path: string
}

async function plainLink(to: string): Promise<PlainLink> {
  const folder = await mkdtemp(join(tmpdir(), 'appliance-proof-'))
  // apt reads it as a user of its own.
  await chmod(folder, 0o755)
  const path = join(folder, 'tree')
  await symlink(to, path)
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}
