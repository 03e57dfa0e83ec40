import { copyFile, mkdir, readdir, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Fault, refuse } from '../../../lib/errors/fault.ts'
import { exists } from '../../../lib/files/exists.ts'
import { mirrorTree } from '../../../lib/mirror/tree-place.ts'
import { asRoot } from '../../../lib/process/as-root.ts'
import type { StageWork } from '../../../lib/stage/stage.ts'
import { driversMissing, lacksDrivers } from '../drivers.ts'
import { withHashes } from '../passwords.ts'
import type { RootOrder } from '../root.ts'
import type { System } from '../system.ts'
import { faultsOfAny } from '../wishes.ts'
import { consoleKeymap, keysOf, repositoryFile, rpmFiles } from './files.ts'
import { inRoot, installRpms } from './install.ts'
import { settleRpms } from './settle.ts'

/** The root file system of an RPM distribution: the locked packages, made into a machine that boots on anything. */
export async function makeRpmRoot(work: StageWork, order: RootOrder): Promise<void> {
  const { system, lock, root, epoch, seed, tools } = order
  const { project, workDirectory, signal } = work
  const folder = join(workDirectory, 'rpm')
  await installRpms(folder, {
    tools,
    tree: mirrorTree(project, 'rpm'),
    repositories: lock.rpm,
    packages: system.packages,
    releasever: system.rpmRepositories.find(({ releasever }) => releasever !== undefined)?.releasever,
    epoch,
    signal,
  })
  await asRoot('rm', ['-rf', root], {})
  await rename(join(folder, 'root'), root)
  refuse(await faultsOf(system, root))
  await addFiles(work, order)
  const script = settleRpms(system, await withHashes(system.users, seed, tools, signal), epoch)
  await inRoot(root, ['/bin/sh'], tools, { input: script, epoch, signal })
  const image = await readlink(join(root, 'boot/initramfs.img')) // lsinitrd passes links over
  const { stdout } = await inRoot(root, ['lsinitrd', `/boot/${image}`], tools, { epoch, signal })
  const release = image.replace(/^initramfs-(.*)\.img$/, '$1')
  const builtIn = await readFile(join(root, 'usr/lib/modules', release, 'modules.builtin'), 'utf8')
  const missing = driversMissing(`${stdout}\n${builtIn}`, system)
  if (missing.length > 0) throw lacksDrivers(missing, 'rpm')
}

async function faultsOf(system: System, root: string): Promise<Fault[]> {
  const faults = await faultsOfAny(system, root)
  const { keymap } = system
  if (keymap === undefined) return faults
  const name = consoleKeymap(keymap)
  const maps = await readdir(join(root, 'usr/lib/kbd/keymaps'), { recursive: true }).catch(() => [])
  const known = maps.some((path) => path.endsWith(`/${name}.map.gz`) || path.endsWith(`/${name}.map`))
  if (!known) faults.push({ message: `basebox.bootstrap.keymap: the package kbd has no keymap ${name}` })
  return faults
}

async function addFiles(
  { workDirectory, project, signal }: StageWork,
  { system, root, rootUuid, lock }: RootOrder,
): Promise<void> {
  const files = join(workDirectory, 'files')
  await rm(files, { recursive: true, force: true })
  const place = async (path: string) => {
    await mkdir(dirname(join(files, path)), { recursive: true, mode: 0o755 })
    return join(files, path)
  }
  for (const [path, content] of Object.entries(rpmFiles(system, rootUuid)))
    await writeFile(await place(path), content, { mode: 0o644 })
  const known = await repositoriesIn(root)
  const tree = mirrorTree(project, 'rpm')
  for (const source of system.rpmRepositories) {
    const locked = lock.rpm.find(({ name }) => name === source.name)
    // The distribution's own file knows better.
    if (!locked || known.includes(source.name)) continue
    const keys = keysOf(locked)
    for (const { from, to } of keys) await copyFile(join(tree, from), await place(to))
    const content = repositoryFile(
      source,
      keys.map(({ to }) => to),
    )
    await writeFile(await place(`etc/yum.repos.d/${source.name}.repo`), content, { mode: 0o644 })
  }
  await asRoot('chmod', ['-R', 'u=rwX,go=rX', files], { signal })
  await asRoot('cp', ['-r', '--no-preserve=ownership', '--remove-destination', `${files}/.`, root], {
    signal,
  })
}

/** Ids of the repositories that packages have brought files for. */
async function repositoriesIn(root: string): Promise<string[]> {
  const folder = join(root, 'etc/yum.repos.d')
  if (!(await exists(folder))) return []
  const texts = await Promise.all(
    (await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8').catch(() => '')),
  )
  return texts.flatMap((text) => [...text.matchAll(/^\[(.+)\]$/gm)].map((match) => match[1]!))
}
