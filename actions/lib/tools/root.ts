import { mkdir, rename } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { ApplianceError } from '../errors/error.ts'
import { sha256 } from '../files/digest.ts'
import { exists } from '../files/exists.ts'
import type { Lock } from '../lock/lock.ts'
import { bootstrapRoot } from '../mirror/bootstrap.ts'
import { compilerPackages, rpmPackages, toolsPackages, xfsPackages } from '../mirror/packages.ts'
import { mirrorTree } from '../mirror/tree-place.ts'
import { asRoot } from '../process/as-root.ts'
import { type CommandOptions, type CommandResult, run } from '../process/command.ts'
import type { StageWork } from '../stage/stage.ts'
import type { ToolsRoot } from './tools.ts'

/** Raise it when a root made of the same packages would come out differently. */
const RECIPE = '2'

/** Digest of everything the tools root is made of; for fingerprints. */
export function toolsKey(lock: Lock): string {
  const { deb, gem } = lock.tools
  const digests = [...deb.flatMap(({ packages }) => packages), ...gem.flatMap(({ gems }) => gems)]
  const rpm = lock.rpm.length > 0 ? ['rpm'] : []
  return sha256(JSON.stringify([RECIPE, digests.map((artefact) => artefact.sha256), ...rpm]))
}

/**
 * The tools root, made from the mirror alone the first time it is asked for: `build/tools/<key>/root`.
 *
 * @param tree the mirror's, which has all of it
 * @throws ApplianceError `stale` without a lock; CommandFailed when the root cannot be made
 */
export async function openToolsRoot(
  work: Pick<StageWork, 'project' | 'log' | 'signal' | 'timed'>,
  tree = mirrorTree(work.project),
): Promise<ToolsRoot> {
  const { project, log } = work
  const lock = project.lock
  if (!lock || lock.tools.deb.length === 0)
    throw new ApplianceError('stale', 'the lock has no build tools', {
      hint: 'Run `appliance mirror-deps` first.',
    })
  const key = toolsKey(lock)
  const folder = join(project.buildDirectory, 'tools', key.slice(0, 16))
  const directory = join(folder, 'root')
  if (!(await exists(directory))) {
    const partial = join(folder, 'root.partial')
    await asRoot('rm', ['-rf', partial], {})
    await mkdir(folder, { recursive: true })
    await log.group('making the tools root', async () => {
      await work.timed('tools root', () => unpack(lock, partial, tree, work.signal))
      await work.timed('Chef', () => installGems(lock, partial, tree, work.signal))
    })
    await rename(partial, directory)
  }
  return {
    directory,
    key,
    run: (program, args, options = {}) => runThroughLoader(directory, program, args, options),
  }
}

/** What documents a program, or speaks other languages, shows in no result. */
const leftOut = [
  '/usr/share/doc/*',
  '/usr/share/man/*',
  '/usr/share/info/*',
  '/usr/share/locale/*',
  '/usr/share/gtk-doc/*',
]

/** A Debian root of exactly the locked packages. */
async function unpack(lock: Lock, root: string, tree: string, signal: AbortSignal): Promise<void> {
  const locked = new Set(lock.tools.deb.flatMap(({ packages }) => packages.map(({ name }) => name)))
  await bootstrapRoot(root, {
    tree: join(tree, 'tools', 'deb'),
    repositories: lock.tools.deb.map(({ name }) => name),
    variant: 'essential',
    packages: [
      ...toolsPackages,
      ...(lock.tools.gem.length > 0 ? compilerPackages : []),
      ...(lock.rpm.length > 0 ? rpmPackages : []),
      ...xfsPackages.filter((wanted) => locked.has(wanted)),
    ],
    arguments: leftOut.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    signal,
  })
}

/**
 * Installs the tools' gems (Chef's) in the root, from the mirror's gem source. By Bundler, since it builds several at
 * once, in the order that they need each other; the lock has settled their versions.
 *
 * @see bundle-install(1); bundle-config(1): path.system
 */
async function installGems(lock: Lock, root: string, tree: string, signal: AbortSignal): Promise<void> {
  for (const source of lock.tools.gem) {
    const from = join(tree, 'tools', 'gem', source.name)
    const mirror = join(root, 'mirror')
    await asRoot('cp', ['-al', from, mirror], { signal })
    const gems = new Map(source.gems.map(({ name, version }) => [name, version]))
    const lines = [...gems].map(([name, version]) => `gem '${name}', '${version}'\n`)
    const input = `source 'file:///mirror/'\n${lines.join('')}`
    await asRoot('tee', [join(mirror, 'Gemfile')], { input, signal })
    const bundle = [
      'env',
      'BUNDLE_GEMFILE=/mirror/Gemfile',
      'BUNDLE_PATH__SYSTEM=true',
      'BUNDLE_SILENCE_ROOT_WARNING=true',
      'bundle',
      'install',
      '--quiet',
      '--full-index',
      `--jobs=${availableParallelism()}`,
    ]
    await chroot(root, bundle, { signal })
    await asRoot('rm', ['-rf', mirror], { signal })
  }
}

/** Runs a whole program in the root, with an environment of its own. */
async function chroot(
  root: string,
  argv: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const environment = [
    'HOME=/root',
    'LANG=C.UTF-8',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'SOURCE_DATE_EPOCH=0',
    'MAKEFLAGS=-j2',
  ]
  return await asRoot('env', ['-i', ...environment, 'chroot', root, ...argv], options)
}

/**
 * Runs one of the root's programs on this computer's files: its own loader and libraries, our root directory
 * (ld.so(8), --library-path).
 */
async function runThroughLoader(
  root: string,
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  for (const folder of ['usr/sbin', 'usr/bin']) {
    const path = join(root, folder, program)
    if (!(await exists(path))) continue
    const loader = join(root, 'usr/lib64/ld-linux-x86-64.so.2')
    const libraries = join(root, 'usr/lib/x86_64-linux-gnu')
    const env = { MKE2FS_CONFIG: join(root, 'etc/mke2fs.conf'), MTOOLSRC: '/dev/null', ...options.env }
    return await run(loader, ['--library-path', libraries, path, ...args], { ...options, env })
  }
  throw new ApplianceError('internal', `the tools root has no ${program}`)
}
