import { Pattern } from '../lib/disk/pattern.ts'
import type { RootFileSystem } from '../lib/disk/root-file-system.ts'

/**
 * Drivers without which a hypervisor's default hardware is not found. Debian's cloud kernel lacks the first: such
 * an OVA never boots on VMware, and no test in QEMU shows it (DESIGN §8). Folders are relative to a kernel's own.
 */
const drivers: Record<string, string> = {
  mptspi: 'drivers/message/fusion',
  vmw_pvscsi: 'drivers/scsi',
  vmxnet3: 'drivers/net/vmxnet3',
  e1000: 'drivers/net/ethernet/intel/e1000',
}

/**
 * Drivers that a kernel on the disk has neither as a module nor built in, e.g. `mptspi (6.1.0-50-cloud-amd64)`.
 *
 * @param further versions of kernels that lie elsewhere than in the root's /boot
 */
export async function missingDrivers(root: RootFileSystem, further: readonly string[]): Promise<string[]> {
  const at = '/usr/lib/modules'
  const files = Object.entries(drivers).map(([name, folder]) => `${at}/*/kernel/${folder}/${name}.ko*`)
  const tree = await root.tree(
    ['/boot/vmlinuz-*', `${at}/*/modules.builtin`, ...files].map((text) => new Pattern(text)),
  )
  const paths = [...tree.keys()]
  const own = paths.filter((path) => path.startsWith('/boot/vmlinuz-')).map((path) => path.slice(14))
  // The kernel for rescues has no modules of its own.
  const kernels = [...new Set([...own, ...further])].filter((kernel) => !kernel.startsWith('0-rescue-'))
  const builtIn = await root.read(kernels.map((kernel) => `${at}/${kernel}/modules.builtin`))
  return kernels.flatMap((kernel) =>
    Object.entries(drivers)
      .filter(([name, folder]) => {
        const file = `kernel/${folder}/${name}.ko`
        const built = builtIn.get(`${at}/${kernel}/modules.builtin`)?.includes(file) ?? false
        return !built && !paths.some((path) => path.startsWith(`${at}/${kernel}/${file}`))
      })
      .map(([name]) => `${name} (${kernel})`),
  )
}
