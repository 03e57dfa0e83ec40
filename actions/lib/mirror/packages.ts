/** What the minimal machine is made of, beside everything Essential: it boots, has an address, lets one in. */
export const baseboxPackages = [
  'apt',
  'linux-image-amd64', // the full kernel: the cloud kernel boots on no VMware (DESIGN §8)
  'initramfs-tools',
  'systemd-sysv',
  'udev',
  'dbus',
  'openssh-server',
  'systemd-resolved',
  'iproute2',
  'kmod',
  'zstd',
  'ca-certificates',
  'debian-archive-keyring',
] as const

/** What a system consists of that some suites have by another name; the first that is there counts. */
const otherNames: Readonly<Record<string, readonly string[]>> = {
  'linux-image-amd64': ['linux-image-amd64', 'linux-image-generic'], // Debian, Ubuntu
  'debian-archive-keyring': ['debian-archive-keyring', 'ubuntu-keyring'],
}

/** Parts of systemd that are packages of their own in some suites, and in the others come with it. */
const split: readonly string[] = ['systemd-repart', 'systemd-resolved']

/** What a user may want of a base machine, as far as it shows in its packages. */
export interface Wishes {
  packages: readonly string[]
  locale: string
  timezone: string
  keymap?: string | undefined
  filesystem?: 'ext4' | 'xfs'
  users: readonly { sudo: boolean | 'nopasswd' }[]
}

/** What a base machine is made of, beyond everything Essential. Some have other names elsewhere: {@link asNamed}. */
export function basePackages(wishes: Wishes): string[] {
  const kernel = wishes.packages.some((name) => /^linux-image-/.test(name))
  const usual = [...baseboxPackages, 'systemd-repart'].filter(
    (name) => !(kernel && name === 'linux-image-amd64'),
  )
  return [...new Set([...usual, ...packagesFor(wishes), ...wishes.packages])]
}

/** Packages that stand behind other wishes than packages; none where all is as usual. */
export function packagesFor({ locale, timezone, keymap, users, filesystem }: Wishes): string[] {
  return [
    ...(/^(C|POSIX|C\.UTF-8)$/.test(locale) ? [] : ['locales']),
    ...(timezone === 'UTC' ? [] : ['tzdata']),
    ...(keymap === undefined ? [] : ['console-setup', 'kbd']),
    ...(users.some(({ sudo }) => sudo !== false) ? ['sudo'] : []),
    ...(filesystem === 'xfs' ? ['xfsprogs'] : []),
  ]
}

/** Packages under the names they have in a suite, or in a lock, which has those of `there`. */
export function asNamed(packages: readonly string[], there: ReadonlySet<string>): string[] {
  return packages.flatMap((name) => {
    if (split.includes(name)) return there.has(name) ? [name] : []
    return otherNames[name]?.find((one) => there.has(one)) ?? name
  })
}

/** Every package whose presence decides what {@link asNamed} gives. */
export const namesThatDiffer: readonly string[] = [...Object.values(otherNames).flat(), ...split]

/** The same for RPM distributions, by the names that RHEL, its like and Fedora have. */
const rpmBaseboxPackages = [
  'kernel',
  'dracut',
  'systemd',
  'NetworkManager',
  'openssh-server',
  'iproute',
  'dnf',
  'ca-certificates',
] as const

/** What an RPM base machine is made of; one that names systemd-networkd has no NetworkManager. */
export function rpmBasePackages(wishes: Wishes): string[] {
  const { packages, locale, timezone, keymap, users, filesystem } = wishes
  const networkd = packages.includes('systemd-networkd')
  const kernel = packages.some((name) => /^kernel-(core|uki|lt|ml)/.test(name))
  const usual = rpmBaseboxPackages.filter(
    (name) => !(networkd && name === 'NetworkManager') && !(kernel && name === 'kernel'),
  )
  const language = /^([a-z]+)_/.exec(locale)?.[1]
  return [
    ...new Set([
      ...usual,
      `glibc-${language === undefined ? 'minimal-langpack' : `langpack-${language}`}`,
      ...(timezone === 'UTC' ? [] : ['tzdata']),
      ...(keymap === undefined ? [] : ['kbd']),
      ...(users.some(({ sudo }) => sudo !== false) ? ['sudo'] : []),
      ...(filesystem === 'xfs' ? ['xfsprogs'] : []),
      ...packages,
    ]),
  ]
}

/** The tools root: programs whose version shows in the result (DESIGN §6). */
export const toolsPackages = [
  'apt',
  'ruby',
  'ruby-bundler',
  'ruby-shadow', // Chef sets passwords with it; as a gem it does not compile with Debian 13's Ruby
  'e2fsprogs',
  'mtools',
  'dosfstools',
  'fdisk',
  'grub-common',
  'grub-pc-bin',
  'grub-efi-amd64-bin',
  'libarchive13t64', // Chef's archive_file
] as const

/** Only needed while Chef's gems are compiled; not on the tools disk. */
export const compilerPackages = [
  'gcc',
  'g++',
  'make',
  'ruby-dev',
  'libffi-dev',
  'libyaml-dev',
  'libcrypt-dev',
] as const

/** Only where the appliance has RPMs: the solver, and what makes and checks their repositories. */
export const rpmPackages = ['dnf', 'rpm', 'python3-createrepo-c', 'gpg'] as const

/** Only where the base machine's root is XFS. */
export const xfsPackages = ['xfsprogs'] as const
