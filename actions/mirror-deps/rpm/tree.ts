import { cp, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { Lock, LockedRpm, LockedRpmRepository } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import type { StageWork } from '../../lib/stage/stage.ts'
import type { MirrorPaths } from '../paths.ts'
import type { ProgramRoot } from '../program-root.ts'
import { emptyFolder } from './dnf.ts'
import { INDEX_PROGRAM, UNPACK_PROGRAM } from './index-program.ts'
import { enabledModules } from './modules.ts'
import { rpmPrograms } from './programs.ts'
import { type IndexFile, parseRepomd } from './repomd.ts'
import { unsignedPackages } from './signatures.ts'
import { relativeTo } from './upstream.ts'

/** `rpm/<name>/` of a tree, for each repository; the tools' part of the tree is there already. */
export async function writeRpmTrees(
  { rpm, tools }: Pick<Lock, 'rpm' | 'tools'>,
  tree: string,
  paths: MirrorPaths,
  work: Pick<StageWork, 'signal'>,
): Promise<void> {
  if (rpm.length === 0) return
  const root = await rpmPrograms(tools.deb, tree, paths, work)
  for (const repository of rpm)
    await writeRpmRepository(repository, join(tree, 'rpm', repository.name), {
      store: paths.store,
      root,
      signal: work.signal,
    })
}

export interface RpmTreeOptions {
  store: string
  /** Has dnf, rpm and createrepo_c. */
  root: ProgramRoot
  signal: AbortSignal
}

/** Where a package lies in the tree's repository. */
export function rpmInTree({ path }: Pick<LockedRpm, 'path'>): string {
  const file = decodeURIComponent(basename(path))
  return `Packages/${file[0]!.toLowerCase()}/${file}`
}

/**
 * A repository of exactly the locked packages: indexed anew, with the module streams and groups that were asked for,
 * and upstream's key, so that `gpgcheck=1` works in the guest as it is. Nothing comes into it that its key did not
 * sign.
 *
 * @throws ApplianceError `digest-mismatch` naming every package that the key did not sign
 */
export async function writeRpmRepository(
  repository: LockedRpmRepository,
  directory: string,
  { store, root, signal }: RpmTreeOptions,
): Promise<void> {
  const unsigned = await unsignedPackages(repository, root, { store, signal })
  if (unsigned.length > 0) throw wronglySigned(unsigned)
  const folder = await emptyFolder(root, 'index')
  const placed = repository.packages.map((one) => [rpmInTree(one), one.sha256] as const)
  for (const [path, sha256] of placed)
    for (const to of [join(folder, path), join(directory, path)]) {
      await mkdir(dirname(to), { recursive: true })
      await link(objectPath(store, sha256), to)
    }
  for (const { path, sha256 } of repository.evidence.filter((one) => one.path.startsWith('keys/'))) {
    await mkdir(join(directory, 'keys'), { recursive: true })
    await link(objectPath(store, sha256), join(directory, path))
  }
  const modules = await takeIndexes(repository, folder, { store, root, signal })
  const ask = {
    revision: secondsOf(repository),
    packages: placed.map(([path]) => path).sort(),
    groups: repository.groups,
    modules: modules !== '',
  }
  await writeFile(join(folder, 'modules.yaml'), modules)
  await writeFile(join(folder, 'ask.json'), JSON.stringify(ask))
  await python(root, folder, INDEX_PROGRAM, [], signal)
  await cp(join(folder, 'repodata'), join(directory, 'repodata'), { recursive: true })
  await rm(folder, { recursive: true, force: true })
}

/** Lays out upstream's groups for the indexer where any are wanted; gives what is needed of its module streams. */
async function takeIndexes(
  { baseurl, evidence, groups, modules, packages }: LockedRpmRepository,
  folder: string,
  { store, root, signal }: RpmTreeOptions,
): Promise<string> {
  if (groups.length === 0 && modules.length === 0) return ''
  const repomd = evidence.find(({ path }) => path === 'repodata/repomd.xml')!
  const { files } = parseRepomd(await readFile(objectPath(store, repomd.sha256), 'utf8'))
  const unpack = async (types: readonly string[], to: string) => {
    const found = types.map((type) => files.find((file) => file.type === type)).find(Boolean) as
      | IndexFile
      | undefined
    const locked = evidence.find(({ path }) => found && relativeTo(baseurl, found.href) === path)
    if (!locked) return false
    const packed = `packed-${types[0]}${extname(locked.path)}`
    await link(objectPath(store, locked.sha256), join(folder, packed))
    await python(root, folder, UNPACK_PROGRAM, [packed, to], signal)
    return true
  }
  if (groups.length > 0) await unpack(['group', 'group_gz'], 'comps-upstream.xml')
  if (modules.length === 0 || !(await unpack(['modules'], 'modules-upstream.yaml'))) return ''
  const text = await readFile(join(folder, 'modules-upstream.yaml'), 'utf8')
  return enabledModules(text, modules, new Set(packages.map(artefactName)))
}

/** As modules.yaml names packages: always with an epoch. */
function artefactName({ name, version, arch }: LockedRpm): string {
  return `${name}-${version.includes(':') ? version : `0:${version}`}.${arch}`
}

async function python(
  root: ProgramRoot,
  folder: string,
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await writeFile(join(folder, 'program.py'), program)
  await root.run(['/usr/bin/python3', 'program.py', ...args], { folder: basename(folder), signal })
}

/** Upstream's own date: the only clock in what we write. */
function secondsOf({ timestamp }: LockedRpmRepository): number {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp) ?? []
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) / 1000
}

/** All of them in one error. */
export function wronglySigned(lines: readonly string[]): ApplianceError {
  return new ApplianceError('digest-mismatch', lines.join('\n'), {
    hint: 'Is gpgkey: the key of that repository? Upstream names it. Otherwise somebody else made these packages.',
  })
}
