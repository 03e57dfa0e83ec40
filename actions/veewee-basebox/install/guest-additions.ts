/** A script that is there for a hypervisor's extensions, or a mention of them in another. */
export interface Additions {
  what: string
  /** The script is about nothing else. */
  whole: boolean
  /** 1-based, of the first mention. */
  line: number
}

/** Extensions by what their scripts say, and the packages that are the same. */
const KINDS = [
  {
    what: 'VirtualBox’s guest additions',
    text: /VBoxLinuxAdditions|VBoxGuestAdditions|VBOXADDITIONS|virtualbox-(ose-)?guest/i,
    name: /^(virtual-?box|vbox)/i,
    packages: /^virtualbox-/,
  },
  {
    what: 'VMware’s tools',
    text: /vmware-install\.pl|VMwareTools|open-vm-(tools|dkms)/i,
    name: /^(vmware|vmfusion|vm-?tools)/i,
    packages: /^open-vm-/,
  },
  {
    what: 'Parallels’ tools',
    text: /prl-?tools|parallels-tools/i,
    name: /^parallels/i,
    packages: /^parallels/,
  },
  {
    what: 'Hyper-V’s daemons',
    text: /hyperv-daemons|linux-cloud-tools/i,
    name: /^hyper-?v/i,
    packages: /^(hyperv-|linux-cloud-tools)/,
  },
  { what: 'Xen’s tools', text: /xe-guest-utilities/i, name: /^(xen|xe-)/i, packages: /^xe-guest/ },
  { what: 'QEMU’s guest agent', text: /qemu-guest-agent/i, name: /^(kvm|qemu)/i, packages: /^qemu-guest/ },
] as const

/**
 * What of hypervisors' extensions a script installs. A script named after one (`virtualbox.sh`, as the stock
 * definitions have it) is about nothing else; one that mentions them does other things, too.
 *
 * @param allowed packages that are meant to be there: scripts for those are left alone
 */
export function additionsIn(name: string, text: string, allowed: readonly string[]): Additions | undefined {
  for (const kind of KINDS) {
    if (allowed.some((one) => kind.packages.test(one))) continue
    const at = mention(text, kind.text)
    if (kind.name.test(name)) return { what: kind.what, whole: true, line: at || 1 }
    if (at) return { what: kind.what, whole: false, line: at }
  }
  return undefined
}

/** The line that mentions it and is no comment; 0 where none does. */
function mention(text: string, wanted: RegExp): number {
  const lines = text.split('\n')
  return lines.findIndex((line) => !/^\s*#/.test(line) && wanted.test(line)) + 1
}
