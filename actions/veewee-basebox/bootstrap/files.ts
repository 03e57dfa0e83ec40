import { extname } from 'node:path'
import { debianKeyring } from '../../lib/spec/mirror/words.ts'
import { SWAP_UNIT, swapLine, swapUnit } from './swap.ts'
import type { System } from './system.ts'

/** What the base machine's own files are made of. */
export interface BaseFacts {
  system: Omit<System, 'disk' | 'packages'>
  rootUuid: string
  /** The folder where the distribution keeps the links to the newest kernel. */
  kernel?: '/' | '/boot/'
}

/** The unit's name; ova-pack proves that it is there. */
export const HOST_KEYS_UNIT = 'appliance-ssh-host-keys.service'

/** Path in the guest → content: everything that makes packages into a machine that boots on anything. */
export function baseFiles({ system, rootUuid, kernel = '/' }: BaseFacts): Record<string, string> {
  const { name, locale, timezone, keymap, filesystem, swap, repositories, users } = system
  return {
    'etc/hostname': `${name}\n`,
    'etc/hosts': `127.0.0.1\tlocalhost\n127.0.1.1\t${name}\n::1\tlocalhost ip6-localhost ip6-loopback\n`,
    'etc/fstab': `UUID=${rootUuid} / ${mounted[filesystem]}\n${swap > 0 ? swapLine : ''}`,
    'etc/default/locale': `LANG=${locale}\n`,
    ...(isPlain(locale) ? {} : { 'etc/locale.gen': `${locale} UTF-8\n` }),
    ...(timezone === 'UTC' ? {} : { 'etc/timezone': `${timezone}\n` }),
    ...(keymap === undefined ? {} : { 'etc/default/keyboard': keyboard(keymap) }),
    'etc/systemd/network/80-any.network': network,
    'etc/systemd/resolved.conf.d/appliance.conf': quietResolver,
    'usr/lib/repart.d/50-root.conf': growingRoot,
    'etc/dpkg/dpkg.cfg.d/appliance': dpkgPaths(locale)
      .map((line) => `${line}\n`)
      .join(''),
    'boot/grub/grub.cfg': grubMenu(system, rootUuid, kernel),
    [`usr/lib/systemd/system/${HOST_KEYS_UNIT}`]: hostKeys,
    ...(swap > 0 ? { [`usr/lib/systemd/system/${SWAP_UNIT}`]: swapUnit(swap) } : {}),
    ...Object.fromEntries(
      repositories.map((source) => [`etc/apt/sources.list.d/${source.name}.sources`, aptSource(source)]),
    ),
    ...Object.fromEntries(
      users.flatMap(({ name, sudo }) => (sudo ? [[`etc/sudoers.d/${name}`, sudoRule(name, sudo)]] : [])),
    ),
  }
}

/** Path in the guest → file on this computer: the keys of repositories that the system's own packages do not bring. */
export function keyrings(repositories: System['repositories']): Record<string, string> {
  const foreign = repositories.filter(({ signedBy }) => !ownKeyrings.includes(signedBy))
  return Object.fromEntries(foreign.map((source) => [keyringIn(source).slice(1), source.signedBy]))
}

/** Those of debian-archive-keyring and ubuntu-keyring, one of which is on every base machine. */
const ownKeyrings: readonly string[] = [debianKeyring, '/usr/share/keyrings/ubuntu-archive-keyring.gpg']

/** Type, options and the rest of the root's line in fstab(5). XFS mends itself when it is mounted. */
const mounted = {
  ext4: 'ext4 errors=remount-ro,x-systemd.growfs 0 1',
  xfs: 'xfs x-systemd.growfs 0 0',
}

/** Whether a locale is a part of the C library. */
export function isPlain(locale: string): boolean {
  return /^(C|POSIX|C\.UTF-8)$/.test(locale)
}

/** @see keyboard(5) */
function keyboard(keymap: string): string {
  const [, layout, variant = ''] = /^([a-z]+)(?:\((.+)\))?$/.exec(keymap)!
  return `XKBMODEL="pc105"\nXKBLAYOUT="${layout}"\nXKBVARIANT="${variant}"\nXKBOPTIONS=""\nBACKSPACE="guess"\n`
}

/** @see sudoers(5); its name may have no dot, and has none */
function sudoRule(name: string, sudo: true | 'nopasswd'): string {
  return `${name} ALL=(ALL:ALL) ${sudo === 'nopasswd' ? 'NOPASSWD: ' : ''}ALL\n`
}

/**
 * An appliance is no place to read manuals; licences stay, and the words of the language it speaks.
 *
 * @see dpkg(1) --path-exclude: the last that fits counts
 */
export function dpkgPaths(locale: string): string[] {
  const [language, both] = /^([a-z]+)_[A-Z]+/.exec(locale)
    ? [locale.split('_')[0]!, locale.split('.')[0]!]
    : []
  return [
    'path-exclude=/usr/share/doc/*',
    'path-include=/usr/share/doc/*/copyright',
    'path-exclude=/usr/share/man/*',
    'path-exclude=/usr/share/info/*',
    'path-exclude=/usr/share/locale/*',
    ...(language === undefined
      ? []
      : ['locale.alias', `${language}/*`, `${both}/*`].map(
          (path) => `path-include=/usr/share/locale/${path}`,
        )),
  ]
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

/**
 * The links /vmlinuz and /initrd.img (Ubuntu: in /boot) follow every kernel update (linux-base(7)), so the menu never
 * changes. The screen is the last console: there a person looks. No version is named: a new one needs no new base
 * machine.
 */
function grubMenu(
  { title, kernelArguments }: BaseFacts['system'],
  rootUuid: string,
  kernel: '/' | '/boot/',
): string {
  const more = kernelArguments.map((argument) => ` ${argument}`).join('')
  return `set default=0
set timeout=1
terminal_output console
menuentry '${title.replaceAll("'", '')}' {
  linux ${kernel}vmlinuz root=UUID=${rootUuid} ro console=ttyS0,115200n8 console=tty0${more}
  initrd ${kernel}initrd.img
}
`
}

function aptSource(source: System['repositories'][number]): string {
  const { uri, suites, components, architectures } = source
  const flat = suites.every((suite) => suite.endsWith('/'))
  return `Types: deb
URIs: ${uri}
Suites: ${suites.join(' ')}
${flat ? '' : `Components: ${components.join(' ')}\n`}${architectures ? `Architectures: ${architectures.join(' ')}\n` : ''}Signed-By: ${keyringIn(source)}
`
}

/** Where a repository's keys lie in the guest; apt goes by the extension. @see sources.list(5) Signed-By */
function keyringIn({ name, signedBy }: System['repositories'][number]): string {
  if (ownKeyrings.includes(signedBy)) return signedBy
  return `/etc/apt/keyrings/${name}${extname(signedBy) === '.asc' ? '.asc' : '.gpg'}`
}
