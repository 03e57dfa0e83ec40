import { extname } from 'node:path'
import { debianKeyring } from '../../lib/spec/mirror/words.ts'
import type { Spec } from '../../lib/spec/spec.ts'

/** What the base machine's own files are made of. */
export interface BaseFacts {
  spec: Spec
  rootUuid: string
}

/** The unit's name; ova-pack proves that it is there. */
export const HOST_KEYS_UNIT = 'appliance-ssh-host-keys.service'

/** Path in the guest → content: everything that makes packages into a machine that boots on anything. */
export function baseFiles({ spec, rootUuid }: BaseFacts): Record<string, string> {
  return {
    'etc/hostname': `${spec.name}\n`,
    'etc/hosts': `127.0.0.1\tlocalhost\n127.0.1.1\t${spec.name}\n::1\tlocalhost ip6-localhost ip6-loopback\n`,
    'etc/fstab': `UUID=${rootUuid} / ext4 errors=remount-ro,x-systemd.growfs 0 1\n`,
    'etc/default/locale': 'LANG=C.UTF-8\n',
    'etc/systemd/network/80-any.network': network,
    'etc/systemd/resolved.conf.d/appliance.conf': quietResolver,
    'usr/lib/repart.d/50-root.conf': growingRoot,
    'etc/dpkg/dpkg.cfg.d/appliance': withoutManuals,
    'boot/grub/grub.cfg': grubMenu(spec, rootUuid),
    [`usr/lib/systemd/system/${HOST_KEYS_UNIT}`]: hostKeys,
    ...Object.fromEntries(
      spec.mirror.deb.map((source) => [`etc/apt/sources.list.d/${source.name}.sources`, aptSource(source)]),
    ),
  }
}

/** Path in the guest → file on this computer: the keys of repositories that Debian's own keyring knows nothing of. */
export function keyrings(spec: Spec): Record<string, string> {
  const foreign = spec.mirror.deb.filter(({ signedBy }) => signedBy !== debianKeyring)
  return Object.fromEntries(foreign.map((source) => [keyringIn(source).slice(1), source.signedBy]))
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
const hostKeys = `[Unit]
Description=Make this machine's own SSH host keys
Before=ssh.service
ConditionFileNotEmpty=!/etc/ssh/ssh_host_ed25519_key

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -A

[Install]
WantedBy=multi-user.target
RequiredBy=ssh.service
`

/** An appliance is no place to read manuals; licences stay. @see dpkg(1) --path-exclude */
const withoutManuals = `path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
`

/**
 * The links /vmlinuz and /initrd.img follow every kernel update (linux-base(7)), so the menu never changes. The
 * screen is the last console: there a person looks. No version is named: a new one needs no new base machine.
 */
function grubMenu({ name, product }: Spec, rootUuid: string): string {
  return `set default=0
set timeout=1
terminal_output console
menuentry '${(product.title ?? name).replaceAll("'", '')}' {
  linux /vmlinuz root=UUID=${rootUuid} ro console=ttyS0,115200n8 console=tty0
  initrd /initrd.img
}
`
}

function aptSource(source: Spec['mirror']['deb'][number]): string {
  const { uri, suites, components, architectures } = source
  const flat = suites.every((suite) => suite.endsWith('/'))
  return `Types: deb
URIs: ${uri}
Suites: ${suites.join(' ')}
${flat ? '' : `Components: ${components.join(' ')}\n`}${architectures ? `Architectures: ${architectures.join(' ')}\n` : ''}Signed-By: ${keyringIn(source)}
`
}

/** Where a repository's keys lie in the guest; apt goes by the extension. @see sources.list(5) Signed-By */
function keyringIn({ name, signedBy }: Spec['mirror']['deb'][number]): string {
  if (signedBy === debianKeyring) return debianKeyring
  return `/etc/apt/keyrings/${name}${extname(signedBy) === '.asc' ? '.asc' : '.gpg'}`
}
