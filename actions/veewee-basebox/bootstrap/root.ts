import { chmod, copyFile, mkdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import { refuse } from '../../lib/errors/fault.ts'
import type { Lock } from '../../lib/lock/lock.ts'
import { bootstrapRoot } from '../../lib/mirror/bootstrap.ts'
import { mirrorTree } from '../../lib/mirror/tree-place.ts'
import { asRoot } from '../../lib/process/as-root.ts'
import type { StageWork } from '../../lib/stage/stage.ts'
import type { ToolsRoot } from '../../lib/tools/tools.ts'
import { driversMissing, lacksDrivers } from './drivers.ts'
import { baseFiles, dpkgPaths, keyrings } from './files.ts'
import { withHashes } from './passwords.ts'
import { KERNEL_HOOK, settle } from './settle.ts'
import { packagesIn, type System } from './system.ts'
import { faultsOfWishes } from './wishes.ts'

/** Before packages are set up: the initramfs need not wait for a swap partition that is not there. */
const NO_RESUME =
  'mkdir -p "$1/etc/initramfs-tools/conf.d"; echo RESUME=none > "$1/etc/initramfs-tools/conf.d/resume"'

/**
 * The kernel's own hook makes no initramfs: initramfs-tools' trigger makes one at the end anyway, when everything is
 * configured, and each takes a third of the bootstrap. run-parts passes over names with a dot.
 */
const ONE_INITRAMFS = `chroot "$1" dpkg-divert --quiet --local --rename --divert ${KERNEL_HOOK}.deferred --add ${KERNEL_HOOK}`

export interface RootOrder {
  system: System
  lock: Lock
  /** The folder to make. */
  root: string
  rootUuid: string
  /** Seconds since 1970; no file is younger. */
  epoch: number
  /** Salts of passwords come from it. */
  seed: string
  tools: ToolsRoot
}

/** The root file system: the locked packages, set up, and made into a machine that boots on anything. */
export async function makeRoot(work: StageWork, order: RootOrder): Promise<void> {
  const { system, lock, root, epoch, seed, tools } = order
  const { project, signal } = work
  const foreign = system.repositories.flatMap(({ architectures = [] }) => architectures)
  await bootstrapRoot(root, {
    tree: mirrorTree(project, 'deb'),
    repositories: lock.deb.map(({ name }) => name),
    variant: 'essential',
    packages: packagesIn(system, lock.deb),
    arguments: [
      `--essential-hook=${NO_RESUME}`,
      `--essential-hook=${ONE_INITRAMFS}`,
      ...dpkgPaths(system.locale).map((option) => `--dpkgopt=${option}`),
      // Also tells the guest's dpkg of them, so that later steps may install name:i386.
      ...(foreign.length > 0 ? [`--architectures=${[...new Set(['amd64', ...foreign])].join(',')}`] : []),
    ],
    epoch,
    signal,
  })
  refuse(await faultsOfWishes(system, root))
  const kernel = await kernelLinks(root)
  await addFiles(work, order, kernel)
  const script = settle(system, await withHashes(system.users, seed, tools, signal))
  const env = { SOURCE_DATE_EPOCH: String(epoch) } // the day an account's password was set: shadow(5)
  await asRoot('chroot', [root, '/bin/sh'], { input: script, env, signal })
  await assertDrivers(root, kernel, system, signal)
}

/** The folder with the links to the newest kernel: Debian's is `/`, Ubuntu's `/boot/`. @see linux-update-symlinks(1) */
async function kernelLinks(root: string): Promise<'/' | '/boot/'> {
  for (const folder of ['/', '/boot/'] as const) {
    const link = await readlink(join(root, folder, 'vmlinuz')).catch(() => undefined)
    if (link !== undefined) return folder
  }
  throw new ApplianceError('check-failed', 'the root has no link vmlinuz to its kernel in / or /boot', {
    hint: 'Name a kernel of the distribution itself (linux-image-…) under basebox.bootstrap.packages.',
  })
}

async function addFiles(
  { workDirectory, signal }: StageWork,
  { system, root, rootUuid }: RootOrder,
  kernel: '/' | '/boot/',
) {
  const files = join(workDirectory, 'files')
  await rm(files, { recursive: true, force: true })
  const place = async (path: string) => {
    await mkdir(dirname(join(files, path)), { recursive: true, mode: 0o755 })
    return join(files, path)
  }
  for (const [path, content] of Object.entries(baseFiles({ system, rootUuid, kernel })))
    await writeFile(await place(path), content, { mode: 0o644 })
  for (const [path, from] of Object.entries(keyrings(system.repositories))) {
    await copyFile(from, await place(path))
    await chmod(join(files, path), 0o644)
  }
  await asRoot('cp', ['-r', '--no-preserve=ownership', '--remove-destination', `${files}/.`, root], {
    signal,
  })
}

/**
 * No test in QEMU shows that a driver is missing which QEMU does not emulate; so the initramfs is read, and the list of
 * what the kernel has built in (on Ubuntu some of them).
 */
async function assertDrivers(
  root: string,
  kernel: '/' | '/boot/',
  system: System,
  signal: AbortSignal,
): Promise<void> {
  const image = await readlink(join(root, kernel, 'initrd.img')) // zstd passes links over
  const { stdout } = await asRoot('chroot', [root, '/usr/bin/lsinitramfs', join(kernel, image)], { signal })
  const release = basename(image).replace(/^initrd\.img-/, '')
  const builtIn = await readFile(join(root, 'usr/lib/modules', release, 'modules.builtin'), 'utf8')
  const present = `${stdout}\n${builtIn}`
  const missing = driversMissing(present, system)
  if (missing.length > 0) throw lacksDrivers(missing, 'deb')
}
