import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CommandFailed } from '../../lib/errors/error.ts'
import { sha256File } from '../../lib/files/digest.ts'
import type { LockedRpm, LockedRpmRepository } from '../../lib/lock/lock.ts'
import { dnfSettings } from '../../lib/mirror/dnf-settings.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import { asRoot } from '../../lib/process/as-root.ts'
import type { ProgramRoot } from '../program-root.ts'
import type { ProofOptions } from '../proof/proof.ts'
import { askDnf, type DescribedRpm, emptyFolder } from './dnf.ts'
import { digestOf } from './obtain.ts'
import { rpmPrograms } from './programs.ts'
import { forgedIndex, SIGNATURE, unsignedPackages } from './signatures.ts'
import { pathOf } from './source.ts'

/** What the proofs need: the mirror as it lies here, and a dnf, rpm and createrepo_c. */
export interface RpmProof {
  store: string
  /** The mirror's tree. */
  tree: string
  root: ProgramRoot
  signal: AbortSignal
  info(line: string): void
  warn(line: string): void
}

/** The programs come from the mirror itself; undefined root: it is made from the tools' part of the tree. */
export async function rpmProof({ paths, work }: ProofOptions): Promise<RpmProof> {
  const toolsDeb = work.project.lock?.tools.deb ?? []
  const root = await rpmPrograms(toolsDeb, paths.tree, paths, work)
  const { info, warn } = work.log
  return {
    store: paths.store,
    tree: paths.tree,
    root,
    signal: work.signal,
    info: (line) => info.call(work.log, line),
    warn: (line) => warn.call(work.log, line),
  }
}

/**
 * Key → repomd.xml → primary → package, by dnf from the evidence; and key → package once more, by each package's own
 * signature. What is no longer in the mirror is named in a warning.
 *
 * @param gpgkey the project's own file: what counts
 */
export async function proveRpmChain(
  repository: LockedRpmRepository,
  gpgkey: string | undefined,
  proof: RpmProof,
): Promise<string[]> {
  const { name, evidence, packages } = repository
  const { store, root, signal } = proof
  const faults: string[] = []
  const key = evidence.find(({ path }) => path.startsWith('keys/'))
  const given = gpgkey && (await sha256File(gpgkey).catch(() => undefined))
  if (!key || given !== key.sha256)
    faults.push(`rpm ${name}: gpgkey: is another key than the one that was locked, ${key?.path ?? 'none'}`)
  const lost: string[] = []
  for (const { path, sha256 } of evidence)
    if (!(await stat(objectPath(store, sha256)).catch(() => undefined))) lost.push(path)
  if (lost.length > 0)
    proof.warn(
      `rpm ${name}: not proved from its index, only by the lock and the packages' signatures: ${lost.join(', ')} is not in the mirror`,
    )
  else {
    faults.push(...(await forgedIndex(repository, root, { store, signal })))
    faults.push(...(await proveIndex(repository, proof)))
  }
  if (!evidence.some(({ path }) => path === SIGNATURE))
    proof.info(`rpm ${name}: upstream signs its packages, but not its index`)
  const here: LockedRpm[] = []
  for (const one of packages)
    if (await stat(objectPath(store, one.sha256)).catch(() => undefined)) here.push(one)
  if (key && !lost.includes(key.path))
    faults.push(...(await unsignedPackages({ name, evidence, packages: here }, root, { store, signal })))
  return faults
}

/** What the index says of each package against the lock. */
async function proveIndex(
  { name, baseurl, evidence, packages }: LockedRpmRepository,
  { root, store, signal }: RpmProof,
): Promise<string[]> {
  const source = { name, evidence, packages: [], groups: [], modules: [], weak: false }
  const names = [...new Set(packages.map((one) => one.name))]
  const answer = await askDnf(
    root,
    [source],
    { task: 'describe', names },
    { store, releasever: undefined, signal },
  )
  if (answer.faults.length > 0) return answer.faults.map(({ message }) => `rpm ${name}: ${message}`)
  const faults: string[] = []
  for (const one of packages) {
    const title = `rpm ${name}: ${one.name} ${one.version} ${one.arch}`
    const candidates = answer.packages!.filter(
      (found) => identity(found) === identity(one) && pathOf(found, baseurl) === one.path,
    )
    if (candidates.length === 0) faults.push(`${title} is not in the index that was locked`)
    else if (!(await isOneOf(candidates, one, store)))
      faults.push(`${title} has other bytes than its index promises`)
  }
  return faults
}

function identity({ name, version, arch }: Pick<LockedRpm, 'name' | 'version' | 'arch'>): string {
  return `${name} ${version} ${arch}`
}

async function isOneOf(candidates: readonly DescribedRpm[], one: LockedRpm, store: string): Promise<boolean> {
  for (const { checksum } of candidates) {
    const digest =
      checksum.type === 'sha256'
        ? one.sha256
        : await digestOf(checksum.type, objectPath(store, one.sha256)).catch(() => '')
    if (digest === checksum.hex) return true
  }
  return false
}

/**
 * That all packages, as they lie in the mirror's tree, install together into an empty root by dnf: solved from the
 * tree alone, signatures checked, then rpm's own transaction, with its checks of dependencies and of files that two
 * packages claim, into a real database. Nothing is unpacked and no script runs, so 500 packages take seconds and
 * nobody's scripts run on the build computer.
 *
 * @see rpm(8), --justdb and --noscripts
 */
export async function proveRpmClosure(
  repositories: readonly LockedRpmRepository[],
  { root, tree, signal }: RpmProof,
): Promise<string[]> {
  const packages = repositories.flatMap((repository) => repository.packages)
  if (packages.length === 0) return []
  const of = `rpm ${repositories.map(({ name }) => name).join(', ')}`
  const folder = await emptyFolder(root, 'closure')
  const from = root.inside('closure')
  await mkdir(join(folder, 'repos.d'))
  for (const { name } of repositories)
    await asRoot('cp', ['-al', join(tree, 'rpm', name), join(folder, name)], { signal })
  const keysOf = ({ name, evidence }: LockedRpmRepository) =>
    evidence.flatMap(({ path }) => (path.startsWith('keys/') ? [`${from}/${name}/${path}`] : []))
  const stanzas = repositories.map((repository) => {
    const { name } = repository
    const urls = keysOf(repository).map((path) => `file://${path}`)
    return `[${name}]\nname=${name}\nbaseurl=file://${from}/${name}\ngpgkey=${urls.join(' ')}\n`
  })
  await writeFile(join(folder, 'repos.d/tree.repo'), stanzas.join('\n'))
  await writeFile(join(folder, 'dnf.conf'), dnfSettings(from, 'justdb,noscripts'))
  // Debian's rpm would keep the database in the home folder.
  await writeFile(join(folder, '.rpmmacros'), '%_dbpath /var/lib/rpm\n')
  const wanted = packages.map(({ name, version, arch }) => `${name}-${version}.${arch}`)
  // By rpm beforehand: dnf would look at them with gpgme, which needs a whole /dev in the root.
  const database = ['--dbpath', `${from}/root/var/lib/rpm`]
  await root.run(['rpmkeys', ...database, '--import', ...repositories.flatMap(keysOf)], {
    folder: 'closure',
    signal,
  })
  const args = ['-c', 'dnf.conf', '--installroot', `${from}/root`, '--releasever', '0', '-y', '-q']
  try {
    await root.run(['dnf', ...args, 'install', ...new Set(wanted)], {
      folder: 'closure',
      signal,
      env: { HOME: from },
    })
    return []
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    const said = error.stderrTail.split('\n').map((line) => line.trim())
    const words = said
      .filter((line) => line && !/locale|^Try |^\(try|^Traceback|^File "|^[~^]+$/.test(line))
      .slice(0, 12)
    return [`${of}: they do not install into an empty root: ${words.join('; ')}`]
  } finally {
    await asRoot('rm', ['-rf', folder], {})
  }
}
