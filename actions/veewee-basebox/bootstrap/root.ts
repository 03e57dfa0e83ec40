import { chmod, copyFile, mkdir, readlink, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { Lock } from '../../lib/lock/lock.ts'
import { bootstrapRoot } from '../../lib/mirror/bootstrap.ts'
import { baseboxPackages } from '../../lib/mirror/packages.ts'
import { asRoot } from '../../lib/process/as-root.ts'
import type { StageWork } from '../../lib/stage/stage.ts'
import { baseFiles, HOST_KEYS_UNIT, keyrings } from './files.ts'

/** Disk drivers without which the appliance boots on some hypervisor not at all (DESIGN §8). */
const drivers = [
  'mptspi',
  'mptsas',
  'vmw_pvscsi',
  'ahci',
  'ata_piix',
  'sym53c8xx',
  'nvme',
  'virtio_blk',
  'virtio_scsi',
  'hv_storvsc',
]

/** Before packages are set up: the initramfs need not wait for a swap partition that is not there. */
const NO_RESUME =
  'mkdir -p "$1/etc/initramfs-tools/conf.d"; echo RESUME=none > "$1/etc/initramfs-tools/conf.d/resume"'

/** What is done in the root once everything is unpacked and configured. */
const SETTLE = `set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
systemctl enable -q systemd-networkd.service systemd-resolved.service ssh.service ${HOST_KEYS_UNIT}
rm -f /etc/ssh/ssh_host_* /etc/apt/sources.list /etc/dpkg/dpkg.cfg.d/99mmdebstrap /etc/apt/apt.conf.d/99mmdebstrap
ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
passwd -q -l root
: > /etc/machine-id
mkdir -p /var/lib/dbus
ln -sf /etc/machine-id /var/lib/dbus/machine-id
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/cache/ldconfig/aux-cache
rm -rf /tmp/* /var/tmp/* /run/* /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
find /var/log -type f -delete
`

/** The root file system: the locked packages, set up, and made into a machine that boots on anything. */
export async function makeRoot(
  work: StageWork,
  lock: Lock,
  root: string,
  rootUuid: string,
  epoch: number,
): Promise<void> {
  const { project, signal } = work
  const wanted = project.spec.basebox.bootstrap?.packages ?? []
  const foreign = project.spec.mirror.deb.flatMap(({ architectures = [] }) => architectures)
  await bootstrapRoot(root, {
    tree: join(project.buildDirectory, 'mirror-deps', 'tree', 'deb'),
    repositories: lock.deb.map(({ name }) => name),
    variant: 'essential',
    packages: [...baseboxPackages, ...wanted],
    arguments: [
      `--essential-hook=${NO_RESUME}`,
      ...['doc/*', 'man/*', 'info/*', 'locale/*'].map(
        (folder) => `--dpkgopt=path-exclude=/usr/share/${folder}`,
      ),
      '--dpkgopt=path-include=/usr/share/doc/*/copyright',
      // Also tells the guest's dpkg of them, so that later steps may install name:i386.
      ...(foreign.length > 0 ? [`--architectures=${[...new Set(['amd64', ...foreign])].join(',')}`] : []),
    ],
    epoch,
    signal,
  })
  await addFiles(work, root, rootUuid)
  await asRoot('chroot', [root, '/bin/sh'], { input: SETTLE, signal })
  await assertDrivers(root, signal)
}

async function addFiles({ project, workDirectory, signal }: StageWork, root: string, rootUuid: string) {
  const files = join(workDirectory, 'files')
  await rm(files, { recursive: true, force: true })
  const place = async (path: string) => {
    await mkdir(dirname(join(files, path)), { recursive: true, mode: 0o755 })
    return join(files, path)
  }
  for (const [path, content] of Object.entries(baseFiles({ spec: project.spec, rootUuid })))
    await writeFile(await place(path), content, { mode: 0o644 })
  for (const [path, from] of Object.entries(keyrings(project.spec))) {
    await copyFile(from, await place(path))
    await chmod(join(files, path), 0o644)
  }
  await asRoot('cp', ['-r', '--no-preserve=ownership', `${files}/.`, root], { signal })
}

/** No test in QEMU shows that a driver is missing which QEMU does not emulate; so the initramfs is read. */
async function assertDrivers(root: string, signal: AbortSignal): Promise<void> {
  const image = await readlink(join(root, 'initrd.img')) // zstd passes links over
  const { stdout } = await asRoot('chroot', [root, '/usr/bin/lsinitramfs', `/${image}`], { signal })
  const missing = drivers.filter((name) => !new RegExp(`/${name}\\.ko`).test(stdout))
  if (missing.length > 0)
    throw new ApplianceError(
      'check-failed',
      `the initramfs lacks ${missing.join(', ')}: the appliance would not boot everywhere`,
      {
        hint: 'The kernel must be the full one (linux-image-amd64), and initramfs-tools must keep MODULES=most.',
      },
    )
}
