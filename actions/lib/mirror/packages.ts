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
