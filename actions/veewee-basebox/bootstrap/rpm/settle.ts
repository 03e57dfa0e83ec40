import { HOST_KEYS_UNIT } from '../any-system.ts'
import { account, type Settled } from '../settle.ts'
import { SWAP_UNIT } from '../swap.ts'
import type { System } from '../system.ts'
import { NEWEST_KERNEL } from './files.ts'

/**
 * What is done in a root of RPMs once they are installed: a script for its own shell, to be given to it on standard
 * input, for it has hashes of passwords in it.
 *
 * @param epoch seconds since 1970; no file is younger
 */
export function settleRpms(
  { timezone, swap }: Pick<System, 'timezone' | 'swap'>,
  users: readonly Settled[],
  epoch: number,
): string {
  return `set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
chmod 755 /${NEWEST_KERNEL}
for folder in /usr/lib/modules/*; do
  release=\${folder##*/}
  [ -e "$folder/vmlinuz" ] || continue
  [ -e "/boot/vmlinuz-$release" ] || cp "$folder/vmlinuz" "/boot/vmlinuz-$release"
  depmod "$release"
  [ -e "/boot/initramfs-$release.img" ] || dracut --quiet --force --no-hostonly "/boot/initramfs-$release.img" "$release"
done
/${NEWEST_KERNEL} add
systemctl enable -q sshd.service ${HOST_KEYS_UNIT}${swap > 0 ? ` ${SWAP_UNIT}` : ''}
if [ -e /usr/lib/systemd/system/NetworkManager.service ]; then systemctl enable -q NetworkManager.service
elif [ -e /usr/lib/systemd/system/systemd-networkd.service ]; then systemctl enable -q systemd-networkd.service
  if [ -e /usr/lib/systemd/system/systemd-resolved.service ]; then
    systemctl enable -q systemd-resolved.service
    ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
  fi
fi
${[
  ...(timezone === 'UTC' ? [] : [`ln -sf ../usr/share/zoneinfo/${timezone} /etc/localtime`]),
  ...users.flatMap(account),
]
  .map((line) => `${line}\n`)
  .join('')}usermod -L root
if [ -d /etc/selinux/targeted/policy ]; then : > /.autorelabel; fi
rm -f /etc/ssh/ssh_host_*
: > /etc/machine-id
rm -rf /var/cache/dnf /var/cache/ldconfig/aux-cache /var/lib/systemd/random-seed
rm -rf /tmp/* /var/tmp/* /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
find /var/log -type f -delete
${database}
find / -xdev -newermt @${epoch} -exec touch -h -c -d @${epoch} {} +
`
}

/** The database where the guest's own rpm looks for it, in the form it writes it. */
const database = `if command -v rpm >/dev/null; then
  wanted=$(rpm --eval '%{_dbpath}')
  for there in /var/lib/rpm /usr/lib/sysimage/rpm; do
    if [ "$there" != "$wanted" ] && [ ! -L "$there" ] && [ -e "$there/rpmdb.sqlite" ]; then
      mkdir -p "$wanted"
      mv "$there"/* "$wanted"/
      rmdir "$there"
    fi
  done
  rpm --rebuilddb
fi`
