import { SWAP_UNIT, swapLine, swapUnit } from './swap.ts'
import type { System } from './system.ts'

/** The unit's name; ova-pack proves that it is there. */
export const HOST_KEYS_UNIT = 'appliance-ssh-host-keys.service'

/**
 * Path in the guest → content, of any distribution: what it is called, how it is reached, and that it makes its own host
 * keys and swap file.
 *
 * @param service SSH's unit
 */
export function filesOfAny(
  { name, filesystem, swap, users }: Pick<System, 'name' | 'filesystem' | 'swap' | 'users'>,
  rootUuid: string,
  service: string,
): Record<string, string> {
  return {
    'etc/hostname': `${name}\n`,
    'etc/hosts': `127.0.0.1\tlocalhost\n127.0.1.1\t${name}\n::1\tlocalhost ip6-localhost ip6-loopback\n`,
    'etc/fstab': `UUID=${rootUuid} / ${mounted[filesystem]}\n${swap > 0 ? swapLine : ''}`,
    'etc/systemd/network/80-any.network': network,
    'etc/systemd/resolved.conf.d/appliance.conf': quietResolver,
    'usr/lib/repart.d/50-root.conf': growingRoot,
    [`usr/lib/systemd/system/${HOST_KEYS_UNIT}`]: hostKeys(service),
    ...(swap > 0 ? { [`usr/lib/systemd/system/${SWAP_UNIT}`]: swapUnit(swap) } : {}),
    ...Object.fromEntries(
      users.flatMap(({ name, sudo }) => (sudo ? [[`etc/sudoers.d/${name}`, sudoRule(name, sudo)]] : [])),
    ),
  }
}

/** Type, options and the rest of the root's line in fstab(5). XFS mends itself when it is mounted. */
const mounted = {
  ext4: 'ext4 errors=remount-ro,x-systemd.growfs 0 1',
  xfs: 'xfs x-systemd.growfs 0 0',
}

/** @see sudoers(5); its name may have no dot, and has none */
function sudoRule(name: string, sudo: true | 'nopasswd'): string {
  return `${name} ALL=(ALL:ALL) ${sudo === 'nopasswd' ? 'NOPASSWD: ' : ''}ALL\n`
}

/** Any NIC under any name; nothing names a MAC (DESIGN §8). @see systemd.network(5) */
const network = `[Match]
Name=en* eth*

[Network]
DHCP=yes

[DHCPv4]
ClientIdentifier=mac
`

/**
 * On a disk that was enlarged, by `pack.hardware` or by the customer, the root partition takes the new space at the
 * next boot, and x-systemd.growfs lets the file system follow. @see repart.d(5)
 */
const growingRoot = `[Partition]
Type=root
`

/** A server answers for its own name to nobody: no open port 5355. @see resolved.conf(5) */
const quietResolver = `[Resolve]
LLMNR=no
MulticastDNS=no
`

/**
 * Debian does not make SSH host keys anew when they are gone. The last one made tells; after a power cut it may be
 * there and empty. @see ssh-keygen(1) -A
 */
const hostKeys = (service: string) => `[Unit]
Description=Make this machine's own SSH host keys
Before=${service}
ConditionFileNotEmpty=!/etc/ssh/ssh_host_ed25519_key

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -A

[Install]
WantedBy=multi-user.target
RequiredBy=${service}
`

/**
 * The links that the menu goes by follow every kernel update, so it never changes. The screen is the last console: there
 * a person looks. No version is named: a new one needs no new base machine.
 */
export function grubMenu(
  { title, kernelArguments }: Pick<System, 'title' | 'kernelArguments'>,
  rootUuid: string,
  kernel: { image: string; initrd: string },
): string {
  const more = kernelArguments.map((argument) => ` ${argument}`).join('')
  return `set default=0
set timeout=1
terminal_output console
menuentry '${title.replaceAll("'", '')}' {
  linux ${kernel.image} root=UUID=${rootUuid} ro console=ttyS0,115200n8 console=tty0${more}
  initrd ${kernel.initrd}
}
`
}
