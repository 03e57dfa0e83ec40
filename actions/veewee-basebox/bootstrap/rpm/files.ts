import type { LockedRpmRepository } from '../../../lib/lock/lock.ts'
import { filesOfAny, grubMenu } from '../any-system.ts'
import type { System } from '../system.ts'

/** Where dracut makes initramfs images for any machine, not for the one that it runs on. */
export const DRACUT_CONF = 'etc/dracut.conf.d/10-appliance.conf'
export const dracutConf = 'hostonly="no"\nhostonly_cmdline="no"\n'

/** Keeps the boot menu's names, /boot/vmlinuz and /boot/initramfs.img, at the newest kernel. */
export const NEWEST_KERNEL = 'usr/lib/kernel/install.d/99-appliance-newest.install'

/** Path in the guest → content: everything that makes RPMs into a machine that boots on anything. */
export function rpmFiles(
  system: Omit<System, 'disk' | 'packages' | 'family' | 'repositories'>,
  rootUuid: string,
): Record<string, string> {
  const { locale, keymap } = system
  return {
    ...filesOfAny(system, rootUuid, 'sshd.service'),
    'etc/locale.conf': `LANG=${locale}\n`,
    ...(keymap === undefined ? {} : { 'etc/vconsole.conf': `KEYMAP=${consoleKeymap(keymap)}\n` }),
    'boot/grub/grub.cfg': grubMenu(system, rootUuid, {
      image: '/boot/vmlinuz',
      initrd: '/boot/initramfs.img',
    }),
    [DRACUT_CONF]: dracutConf,
    [NEWEST_KERNEL]: newestKernel,
  }
}

/** As kbd calls what XKB calls `de(nodeadkeys)`: `de-nodeadkeys`. @see vconsole.conf(5) */
export function consoleKeymap(keymap: string): string {
  return keymap.replace(/\((.+)\)$/, '-$1')
}

/** The address of the repository as the spec has it: what the customer's dnf asks. @see dnf.conf(5) */
export function repositoryFile(
  { name, baseurl, mirrorlist, metalink }: System['rpmRepositories'][number],
  keys: readonly string[],
): string {
  const [key, value] = baseurl
    ? ['baseurl', baseurl]
    : mirrorlist
      ? ['mirrorlist', mirrorlist]
      : ['metalink', metalink]
  const gpgkey = keys.map((path) => `file:///${path}`).join(' ')
  return `[${name}]\nname=${name}\n${key}=${value}\nenabled=1\ngpgcheck=1\ngpgkey=${gpgkey}\n`
}

/** Path in the guest → path in the mirror's repository: the keys that sign its packages. */
export function keysOf({ name, evidence }: Pick<LockedRpmRepository, 'name' | 'evidence'>) {
  return evidence
    .filter(({ path }) => path.startsWith('keys/'))
    .map(({ path }) => ({
      from: `${name}/${path}`,
      to: `etc/pki/rpm-gpg/appliance-${name}-${path.slice(5)}`,
    }))
}

/** @see kernel-install(8): called with `add` or `remove` after the plugins that lay out /boot */
const newestKernel = `#!/bin/sh
newest=$(ls /boot | sed -n 's/^vmlinuz-\\([0-9].*\\)$/\\1/p' | sort -V | tail -n 1)
[ -n "$newest" ] && [ -e "/boot/initramfs-$newest.img" ] || exit 0
ln -sf "vmlinuz-$newest" /boot/vmlinuz
ln -sf "initramfs-$newest.img" /boot/initramfs.img
`
