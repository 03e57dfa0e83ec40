import { expandBraces, Pattern } from '../../lib/disk/pattern.ts'
import type { RootFileSystem } from '../../lib/disk/root-file-system.ts'
import type { PackageDatabase } from './packages.ts'

/** Something on the disk that only one hypervisor has a use for. */
export interface Extension {
  /** `VMware`, `VirtualBox` … */
  hypervisor: string
  /** The path it was found at; undefined for a package of which nothing else was found. */
  path: string | undefined
  /** The package that owns it, or is it. */
  owner: string | undefined
}

/** What each hypervisor's extensions are known by: names of packages, of kernel modules, and of other files. */
interface Signs {
  packages: RegExp
  modules: readonly string[]
  files: readonly string[]
}

const units = '/{etc,usr/lib,lib,usr/local/lib}/systemd/system'
const rules = '/{etc,usr/lib,lib}/udev/rules.d'

const signs: Record<string, Signs> = {
  VirtualBox: {
    packages: /^(virtualbox-(ose-)?guest-.*|virtualbox-guest-additions.*|VirtualBox-guest-additions)$/,
    modules: ['vboxguest', 'vboxsf', 'vboxvideo', 'vboxadd'],
    files: [
      '/opt/VBoxGuestAdditions-*',
      '/usr/{,local/}{bin,sbin}/VBox{Service,Client,Control}',
      `${units}/{vboxadd,vboxadd-service,vboxadd-x11,vboxservice,virtualbox-guest-utils}.service`,
      '/etc/init.d/{vboxadd,vboxadd-service,virtualbox-guest-utils}',
      `${rules}/*vboxadd*.rules`,
    ],
  },
  VMware: {
    packages: /^(open-vm-tools.*|vmware-tools.*|vmware-.*-tools)$/,
    modules: ['vmhgfs', 'vmblock', 'vmmemctl', 'vmci', 'vsock', 'vmsync', 'vmw_balloon', 'vmxnet'],
    files: [
      '/{etc,usr/lib}/vmware-tools',
      '/usr/{,local/}{bin,sbin}/{vmtoolsd,vmware-toolbox-cmd,vmware-config-tools.pl}',
      `${units}/{vmtoolsd,vgauth,open-vm-tools,vmware-tools,run-vmblock*}.{service,mount}`,
      '/etc/init.d/{open-vm-tools,vmware-tools}',
      `${rules}/*{vmware,open-vm-tools}*.rules`,
    ],
  },
  Parallels: {
    packages: /^(parallels-tools.*|prl[-_].*)$/,
    modules: ['prl_eth', 'prl_tg', 'prl_fs', 'prl_fs_freeze', 'prl_notifier', 'prl_vid'],
    files: [
      '/usr/lib/parallels-tools',
      '/usr/{,local/}{bin,sbin}/{prltoolsd,prlcc,prl_nettool}',
      `${units}/{prltoolsd,prl-x11,parallels-tools}.service`,
      '/etc/init.d/{prltoolsd,parallels-tools}',
      `${rules}/*{prl,parallels}*.rules`,
    ],
  },
  'Hyper-V': {
    packages:
      /^(hyperv-(daemons|tools)|hv-kvp-daemon.*|hypervkvpd|hypervvssd|hypervfcopyd|linux-cloud-tools.*)$/,
    modules: ['hv_vmbus', 'hv_utils', 'hv_balloon', 'hv_netvsc', 'hv_storvsc', 'hyperv_fb'],
    files: [
      '/usr/{,local/}{bin,sbin}/{hv_kvp_daemon,hv_vss_daemon,hv_fcopy_daemon,hypervkvpd,hypervvssd}',
      `${units}/{hv-kvp-daemon,hv-vss-daemon,hv-fcopy-daemon,hypervkvpd,hypervvssd,hypervfcopyd,hyperv-daemons*}.service`,
      `${rules}/*{hyperv,hv-kvp}*.rules`,
    ],
  },
  Xen: {
    packages: /^(xe-guest-utilities.*|xen-guest-agent|xenserver-.*|xe-linux-distribution)$/,
    modules: ['xen_vmtools'],
    files: [
      '/usr/{,local/}{bin,sbin}/{xe-daemon,xe-linux-distribution,xen-guest-agent}',
      `${units}/{xe-daemon,xe-linux-distribution,xen-guest-agent}.service`,
      '/etc/init.d/{xe-daemon,xe-linux-distribution}',
      `${rules}/*{xen-vcpu,xe-guest}*.rules`,
    ],
  },
  QEMU: {
    packages: /^(qemu-guest-agent|spice-vdagent|spice-webdavd)$/,
    modules: [],
    files: [
      '/usr/{,local/}{bin,sbin}/{qemu-ga,spice-vdagentd,spice-vdagent}',
      `${units}/{qemu-guest-agent,spice-vdagentd,spice-vdagent}.service`,
      '/etc/init.d/{qemu-guest-agent,spice-vdagent}',
      `${rules}/*{qemu-guest-agent,qemu-ga,spice-vdagent}*.rules`,
    ],
  },
}

/** Modules that belong to a distribution's kernel are no extensions: every stock kernel ships vmw_balloon and hv_*. */
const kernel = /^(linux-image-.*|linux-modules-.*|linux-kernel.*|kernel(-core|-modules.*|-default)?)$/

/**
 * Looks for extensions of hypervisors: packages, kernel modules, services, udev rules, programs.
 *
 * @param allowed names of packages that may stay, with all that they own
 */
export async function extensionsOn(
  root: RootFileSystem,
  { installed, ownersOf }: PackageDatabase,
  allowed: readonly string[],
): Promise<Extension[]> {
  const found: Extension[] = []
  const paths = new Map<string, string>()
  for (const [hypervisor, { packages, modules, files }] of Object.entries(signs)) {
    for (const { name } of installed)
      if (packages.test(name)) found.push({ hypervisor, path: undefined, owner: name })
    const globs = [
      ...files,
      ...modules.map((module) => `/{usr/,}lib/modules/**/${module}.ko*`),
      ...modules.map((module) => `/usr/src/${module}-*`),
    ]
    const patterns = globs.flatMap(expandBraces).map((text) => new Pattern(text))
    for (const [path] of await root.tree(patterns))
      if (patterns.some((pattern) => pattern.matches(path))) paths.set(path, hypervisor)
  }
  const owners = await ownersOf([...paths.keys()])
  for (const [path, hypervisor] of paths) {
    const owner = owners.get(path)
    if (!(owner !== undefined && kernel.test(owner))) found.push({ hypervisor, path, owner })
  }
  // A package is shown by what it owns, where that was found.
  const shown = new Set(found.flatMap(({ path, owner }) => (path && owner ? [owner] : [])))
  return found.filter(
    ({ path, owner }) =>
      !(owner !== undefined && allowed.includes(owner)) && (path !== undefined || !shown.has(owner!)),
  )
}

/** `/usr/bin/vmtoolsd (VMware), of package open-vm-tools` */
export function describeExtension({ hypervisor, path, owner }: Extension): string {
  if (path === undefined) return `package ${owner} (${hypervisor})`
  return `${path} (${hypervisor}), ${owner === undefined ? 'of no package' : `of package ${owner}`}`
}
