import { HOST_KEYS_UNIT } from './any-system.ts'
import { isPlain } from './files.ts'
import { SWAP_UNIT } from './swap.ts'
import type { Account, System } from './system.ts'

/** What makes an initramfs when a kernel is installed; set aside while the root is made. */
export const KERNEL_HOOK = '/etc/kernel/postinst.d/initramfs-tools'

/** An account with its password hashed. */
export type Settled = Omit<Account, 'password'> & { hash: string | undefined }

/**
 * What is done in the root once everything is unpacked and configured: a script for its own shell, to be given to it
 * on standard input, for it has hashes of passwords in it.
 */
export function settle(
  system: Pick<System, 'locale' | 'timezone' | 'swap'>,
  users: readonly Settled[],
): string {
  const { locale, timezone, swap } = system
  return `set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
dpkg-divert --quiet --local --rename --remove ${KERNEL_HOOK}
ls /boot/initrd.img-* >/dev/null 2>&1 || update-initramfs -c -k all
if [ -e /etc/systemd/system/sockets.target.wants/ssh.socket ]; then systemctl disable -q ssh.socket; fi
systemctl enable -q systemd-networkd.service systemd-resolved.service ssh.service ${HOST_KEYS_UNIT}${swap > 0 ? ` ${SWAP_UNIT}` : ''}
${[
  ...(isPlain(locale) ? [] : ['locale-gen >/dev/null']),
  ...(timezone === 'UTC' ? [] : [`ln -sf ../usr/share/zoneinfo/${timezone} /etc/localtime`]),
  ...users.flatMap(account),
]
  .map((line) => `${line}\n`)
  .join(
    '',
  )}rm -f /etc/ssh/ssh_host_* /etc/apt/sources.list /etc/dpkg/dpkg.cfg.d/99mmdebstrap /etc/apt/apt.conf.d/99mmdebstrap
ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
passwd -q -l root
: > /etc/machine-id
mkdir -p /var/lib/dbus
ln -sf /etc/machine-id /var/lib/dbus/machine-id
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/cache/ldconfig/aux-cache
rm -rf /tmp/* /var/tmp/* /run/* /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
find /var/log -type f -delete
`
}

/** Lines of shell that make an account. */
export function account({ name, groups, shell, sudo, hash, authorizedKeys }: Settled): string[] {
  const home = `/home/${name}`
  return [
    ...groups.map((group) => `groupadd -f -r ${group}`),
    `useradd -m -d ${home} -s ${shell} -U ${groups.length > 0 ? `-G ${groups.join(',')} ` : ''}${name}`,
    ...(hash === undefined ? [] : [`chpasswd -e <<'END'\n${name}:${hash}\nEND`]),
    ...(sudo === false ? [] : [`chmod 440 /etc/sudoers.d/${name}`]),
    ...(authorizedKeys.length === 0
      ? []
      : [
          `install -d -m 700 -o ${name} -g ${name} ${home}/.ssh`,
          `install -m 600 -o ${name} -g ${name} /dev/null ${home}/.ssh/authorized_keys`,
          `cat >${home}/.ssh/authorized_keys <<'END'\n${authorizedKeys.join('\n')}\nEND`,
        ]),
  ]
}
