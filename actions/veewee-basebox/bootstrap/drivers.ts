import { ApplianceError } from '../../lib/errors/error.ts'
import type { Family } from '../../lib/spec/family.ts'
import type { System } from './system.ts'

/** Disk drivers, beside the root's file system, without which the appliance boots on some hypervisor not at all (DESIGN §8). */
const drivers = [
  'mptspi',
  'vmw_pvscsi',
  'ahci',
  'ata_piix',
  'nvme',
  'virtio_blk',
  'virtio_scsi',
  'hv_storvsc',
]

/** For controllers that hardly any hypervisor still gives to a machine, and that RPM distributions have dropped. */
const older = ['mptsas', 'sym53c8xx']

/**
 * The drivers that an initramfs lacks: no test in QEMU shows that one is missing which QEMU does not emulate.
 *
 * @param present the names of its files, and of what the kernel has built in
 */
export function driversMissing(
  present: string,
  { family, filesystem }: Pick<System, 'family' | 'filesystem'>,
): string[] {
  const wanted = [...drivers, ...(family === 'rpm' ? [] : older), ...(filesystem === 'xfs' ? ['xfs'] : [])]
  return wanted.filter((name) => !new RegExp(`/${name}\\.ko`).test(present))
}

export function lacksDrivers(missing: readonly string[], family: Family): ApplianceError {
  const hint =
    family === 'rpm'
      ? 'The kernel must be the full one (kernel, with kernel-modules), and dracut must make images for any machine.'
      : 'The kernel must be the full one (linux-image-amd64; Ubuntu: linux-image-generic), and initramfs-tools must keep MODULES=most.'
  return new ApplianceError(
    'check-failed',
    `the initramfs lacks ${missing.join(', ')}: the appliance would not boot everywhere`,
    { hint },
  )
}
