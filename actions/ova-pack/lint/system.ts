import type { GuestFiles } from '../../lib/disk/guest-files.ts'
import type { bootRules, LintedRoot } from './boot.ts'
import { initramfsAt } from './initramfs.ts'
import type { Find } from './rule.ts'

/** Controllers and cards by default: VMware's LSI Logic (mptspi) and PVSCSI, VirtualBox' AHCI and e1000. */
const storage = ['mptspi', 'vmw_pvscsi', 'ahci']
const network = ['vmxnet3', 'e1000']
const MOST_FILES = 100

/**
 * The system on the root file system: whether it starts anywhere, and whether it is nobody's yet.
 *
 * @param controller the driver of the controller that the descriptor plugs its disk into, where that is known
 */
export async function lintSystem(
  root: LintedRoot,
  controller: string | undefined,
  find: Find<typeof bootRules>,
  signal: AbortSignal,
): Promise<void> {
  const { files } = root
  const place = (path: string) => `${root.disk}:${path}`
  const wanted = [...new Set([...storage, ...(controller ? [controller] : [])])]
  await lintKernels(root, wanted, place, find, signal)
  await lintMounts(root, place, find)
  await lintNetwork(files, place, find)
  const machineId = (await files.text('/etc/machine-id'))?.trim()
  if (machineId && machineId !== 'uninitialized')
    find('identity-machine-id', place('/etc/machine-id'), machineId)
  const keys = (await files.list('/etc/ssh')).filter(({ name }) => /^ssh_host_.*_key$/.test(name))
  if (keys[0]) find('identity-host-keys', place(`/etc/ssh/${keys[0].name}`), `${keys.length} keys`)
  const authorized = await files.text('/root/.ssh/authorized_keys')
  const lines = authorized?.split('\n').filter((line) => /^\s*[^#\s]/.test(line)) ?? []
  if (lines[0])
    find(
      'identity-authorized-keys',
      place('/root/.ssh/authorized_keys'),
      `${lines.length} keys, ${lines[0].split(' ').at(-1)}`,
    )
}

/** The file system with what lies in /boot, and the folder it has there. */
const bootOf = ({ files, boot }: LintedRoot) =>
  boot ? { files: boot, folder: '' } : { files, folder: '/boot' }

async function lintKernels(
  root: LintedRoot,
  controllers: readonly string[],
  place: (path: string) => string,
  find: Find<typeof bootRules>,
  signal: AbortSignal,
): Promise<void> {
  const { files } = root
  const boot = bootOf(root)
  const inBoot = await boot.files.list(boot.folder)
  const kernels = inBoot.flatMap(({ name }) => (/^vmlinuz-(?!0-rescue)/.test(name) ? [name.slice(8)] : []))
  if (kernels.length === 0) {
    if (!root.hasOthers && inBoot.length > 0)
      find(
        'boot-kernel',
        place('/boot'),
        inBoot
          .map(({ name }) => name)
          .slice(0, 5)
          .join(', '),
      )
    return
  }
  for (const kernel of kernels) {
    const folder = `/usr/lib/modules/${kernel}`
    const builtIn = (await files.text(`${folder}/modules.builtin`)) ?? ''
    const order =
      (await files.text(`${folder}/modules.dep`)) ?? (await files.text(`${folder}/modules.order`)) ?? ''
    if (order === '') continue
    const has = (text: string, module: string) => new RegExp(`(^|/)${module}\\.ko`, 'm').test(text)
    const lacking = [...controllers, ...network].filter(
      (module) => !has(builtIn, module) && !has(order, module),
    )
    if (lacking.length > 0) find('boot-drivers', place(folder), `no ${lacking.join(', ')} (${kernel})`)
    for (const name of [`initrd.img-${kernel}`, `initramfs-${kernel}.img`]) {
      const path = `/boot/${name}`
      const initramfs = await initramfsAt(boot.files, `${boot.folder}/${name}`, signal)
      if (!initramfs) continue
      if (initramfs.is !== 'read') {
        find(`boot-initramfs-${initramfs.is}`, place(path), initramfs.evidence)
        continue
      }
      const missing = controllers.filter(
        (module) => !lacking.includes(module) && !has(builtIn, module) && !initramfs.modules.has(module),
      )
      if (missing.length > 0) find('boot-initramfs', place(path), `no ${missing.join(', ')}`)
    }
  }
}

async function lintMounts(
  root: LintedRoot,
  place: (path: string) => string,
  find: Find<typeof bootRules>,
): Promise<void> {
  const { files } = root
  const boot = bootOf(root)
  const fstab = (await files.text('/etc/fstab')) ?? ''
  for (const line of fstab.split('\n')) {
    const [device = '', folder, type] = line.trim().split(/\s+/)
    if (line.trim().startsWith('#') || folder === undefined) continue
    if (
      /^\/dev\/([shv]d[a-z]|xvd[a-z]|nvme\d+n)\d*/.test(device) &&
      type !== 'swap' &&
      !/^\/dev\/sr/.test(device)
    )
      find('boot-fstab', place('/etc/fstab'), line.trim())
    const uuid = /^UUID="?([0-9A-Fa-f-]+)"?$/.exec(device)?.[1]
    if (folder === '/' && uuid && uuid.toLowerCase() !== files.uuid)
      find('boot-root', place('/etc/fstab'), `${uuid}; it is ${files.uuid}`)
  }
  const commandLines = {
    '/boot/grub/grub.cfg': await boot.files.text(`${boot.folder}/grub/grub.cfg`),
    '/boot/grub2/grub.cfg': await boot.files.text(`${boot.folder}/grub2/grub.cfg`),
    '/etc/kernel/cmdline': await files.text('/etc/kernel/cmdline'),
  }
  for (const [path, text = ''] of Object.entries(commandLines)) {
    const named = /^\s*(?:linux\S*\s[^\n]*?|[^#\n]*?)\broot=(\/dev\/(?:[shv]d|xvd|nvme)\S*)/m.exec(text)
    if (named) find('boot-command-line', place(path), `root=${named[1]}`)
  }
}

async function lintNetwork(
  files: GuestFiles,
  place: (path: string) => string,
  find: Find<typeof bootRules>,
): Promise<void> {
  const look = async (folder: string, names: RegExp, mac: RegExp, name: RegExp) => {
    for (const entry of (await files.list(folder)).slice(0, MOST_FILES)) {
      const path = `${folder}/${entry.name}`
      const text = names.test(entry.name) ? await files.text(path) : undefined
      if (text === undefined) continue
      const address = mac.exec(text)
      if (address) find('network-mac', place(path), address[0].trim())
      const fixed = name.exec(text)
      if (fixed) find('network-name', place(path), fixed[0].trim())
    }
  }
  const MAC = '"?[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}'
  const NIC = '(en[ospx][0-9a-z]+|eth\\d+|ens\\d+)'
  await look(
    '/etc/systemd/network',
    /\.(network|link)$/,
    /^\s*(Permanent)?MACAddress\s*=.*/m,
    new RegExp(`^\\s*Name\\s*=\\s*${NIC}\\s*$`, 'm'),
  )
  await look(
    '/etc/netplan',
    /\.ya?ml$/,
    new RegExp(`macaddress:\\s*${MAC}`),
    new RegExp(`^\\s+${NIC}:\\s*$`, 'm'),
  )
  await look(
    '/etc/NetworkManager/system-connections',
    /./,
    /^mac-address\s*=.*/m,
    new RegExp(`^interface-name\\s*=\\s*${NIC}`, 'm'),
  )
  await look('/etc/network', /^interfaces$/, /^\s*hwaddress\s.*/m, new RegExp(`^\\s*iface\\s+${NIC}\\s`, 'm'))
  await look(
    '/etc/sysconfig/network-scripts',
    /^ifcfg-/,
    /^\s*HWADDR\s*=.*/m,
    new RegExp(`^\\s*DEVICE\\s*=\\s*"?${NIC}`, 'm'),
  )
  await look('/etc/udev/rules.d', /\.rules$/, new RegExp(`ATTR\\{address\\}==${MAC}`), /(?!)/)
}
