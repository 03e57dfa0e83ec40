import { describe, expect, test } from '@jest/globals'
import { rpmBasePackages } from '../../../actions/lib/mirror/packages.ts'
import { usualBootstrap } from '../../../actions/lib/spec/bootstrap.ts'
import { familyOf } from '../../../actions/lib/spec/family.ts'
import { driversMissing } from '../../../actions/veewee-basebox/bootstrap/drivers.ts'
import {
  consoleKeymap,
  keysOf,
  repositoryFile,
  rpmFiles,
} from '../../../actions/veewee-basebox/bootstrap/rpm/files.ts'
import { databaseOf } from '../../../actions/veewee-basebox/bootstrap/rpm/install.ts'
import { settleRpms } from '../../../actions/veewee-basebox/bootstrap/rpm/settle.ts'
import { usualAccount } from '../../../actions/veewee-basebox/bootstrap/system.ts'

const wishes = usualBootstrap()
const entry = {
  name: 'baseos',
  baseurl: 'https://mirror.example.com/$releasever/os',
  mirrorlist: undefined,
  metalink: undefined,
  gpgkey: '/keys/RPM-GPG-KEY',
  packages: [],
  groups: [],
  modules: [],
  weak: false,
  releasever: '9',
  snapshot: undefined,
}
const system = {
  name: 'server',
  title: 'Server',
  rpmRepositories: [entry],
  locale: 'de_DE.UTF-8',
  timezone: 'UTC',
  keymap: 'de(nodeadkeys)',
  kernelArguments: ['quiet'],
  filesystem: 'ext4' as const,
  swap: 0,
  users: [],
}

describe('what an RPM base machine is made of', () => {
  test('a machine that boots, has an address, lets one in; in the language of its users', () => {
    const usual = rpmBasePackages(wishes)
    expect(usual).toEqual(
      expect.arrayContaining(['kernel', 'dracut', 'NetworkManager', 'openssh-server', 'dnf']),
    )
    expect(usual).toContain('glibc-minimal-langpack')
    const more = rpmBasePackages({
      ...wishes,
      locale: 'de_DE.UTF-8',
      timezone: 'Europe/Berlin',
      keymap: 'de',
    })
    expect(more).toEqual(expect.arrayContaining(['glibc-langpack-de', 'tzdata', 'kbd']))
    expect(rpmBasePackages({ ...wishes, users: [{ sudo: true }] })).toContain('sudo')
  })

  test('another kernel or network takes the place of the usual one', () => {
    const other = rpmBasePackages({ ...wishes, packages: ['kernel-core', 'systemd-networkd'] })
    expect(other).not.toContain('kernel')
    expect(other).not.toContain('NetworkManager')
    expect(rpmBasePackages({ ...wishes, packages: ['kernel-tools'] })).toContain('kernel')
  })

  test('RPMs make the system where no Debian is mirrored', () => {
    const deb = { name: 'debian' } as never
    expect(familyOf({ mirror: { deb: [], rpm: [entry] as never } })).toBe('rpm')
    expect(familyOf({ mirror: { deb: [deb], rpm: [entry] as never } })).toBe('deb')
    expect(familyOf({ mirror: { deb: [], rpm: [] } })).toBe('deb')
  })
})

describe('the files of an RPM base machine', () => {
  const files = rpmFiles(system, 'aaaa-bbbb')

  test('find the root by its UUID, and whatever kernel is newest', () => {
    expect(files['boot/grub/grub.cfg']).toMatch(
      /^ {2}linux \/boot\/vmlinuz root=UUID=aaaa-bbbb ro .* console=tty0 quiet$/m,
    )
    expect(files['boot/grub/grub.cfg']).toMatch(/^ {2}initrd \/boot\/initramfs\.img$/m)
    expect(files['etc/fstab']).toMatch(/^UUID=aaaa-bbbb \/ ext4 /)
  })

  test('speak to people as their settings say', () => {
    expect(files['etc/locale.conf']).toBe('LANG=de_DE.UTF-8\n')
    expect(files['etc/vconsole.conf']).toBe('KEYMAP=de-nodeadkeys\n')
    expect(consoleKeymap('us')).toBe('us')
  })

  test('have dracut make images for any machine', () => {
    expect(files['etc/dracut.conf.d/10-appliance.conf']).toContain('hostonly="no"')
  })

  test('make host keys before sshd, which has another name than Debian’s', () => {
    const unit = files['usr/lib/systemd/system/appliance-ssh-host-keys.service']
    expect(unit).toMatch(/^Before=sshd\.service$/m)
    expect(unit).toMatch(/^RequiredBy=sshd\.service$/m)
  })

  test('name upstream’s repositories with their keys, and never the mirror', () => {
    const evidence = [
      { path: 'repodata/repomd.xml', sha256: '', size: 1 },
      { path: 'keys/RPM-GPG-KEY', sha256: '', size: 1 },
    ]
    const keys = keysOf({ name: 'baseos', evidence } as never)
    expect(keys).toEqual([
      { from: 'baseos/keys/RPM-GPG-KEY', to: 'etc/pki/rpm-gpg/appliance-baseos-RPM-GPG-KEY' },
    ])
    const paths = keys.map(({ to }) => to)
    expect(repositoryFile(entry, paths).split('\n')).toEqual([
      '[baseos]',
      'name=baseos',
      'baseurl=https://mirror.example.com/$releasever/os',
      'enabled=1',
      'gpgcheck=1',
      'gpgkey=file:///etc/pki/rpm-gpg/appliance-baseos-RPM-GPG-KEY',
      '',
    ])
    const metalink = { ...entry, baseurl: undefined, metalink: 'https://mirrors.example.com/m' }
    expect(repositoryFile(metalink, paths)).toMatch(/^metalink=https:\/\/mirrors\.example\.com\/m$/m)
  })
})

describe('how a root of RPMs is settled', () => {
  const user = { ...usualAccount, name: 'kim', hash: '$6$x$y', sudo: 'nopasswd' as const }
  const script = settleRpms({ timezone: 'Europe/Berlin', swap: 1 << 30 }, [user], 1_790_000_000)

  test('by a script that a shell can read', () => {
    expect(script).toMatch(/^set -eu$/m)
    expect(script).toContain('ln -sf ../usr/share/zoneinfo/Europe/Berlin /etc/localtime')
    expect(script).toContain("chpasswd -e <<'END'\nkim:$6$x$y\nEND")
    expect(script).toMatch(/systemctl enable -q sshd\.service .*swap-file\.service$/m)
  })

  test('no file is younger than upstream', () => {
    expect(script).toContain('-newermt @1790000000')
  })
})

test.each([
  [[], '/var/lib/rpm'],
  [['4.16.1.3-29'], '/var/lib/rpm'],
  [['4.17.1-3'], '/usr/lib/sysimage/rpm'],
  [['1:4.19.1.1-12'], '/usr/lib/sysimage/rpm'],
  [['6.0.0-1'], '/usr/lib/sysimage/rpm'],
])('with rpm %s the package database is in %s', (versions, folder) => {
  const packages = versions.map((version) => ({ name: 'rpm', version }))
  expect(databaseOf([{ packages: [{ name: 'bash', version: '5' }, ...packages] }] as never)).toBe(folder)
})

test('drivers that RPM distributions have dropped are not asked of them', () => {
  const present = [
    'kernel/drivers/message/fusion/mptspi.ko.xz',
    ...['vmw_pvscsi', 'ahci', 'ata_piix', 'nvme', 'virtio_blk', 'virtio_scsi'].map(
      (name) => `kernel/x/${name}.ko`,
    ),
  ].join('\n')
  expect(driversMissing(present, { family: 'rpm', filesystem: 'ext4' })).toEqual(['hv_storvsc'])
  expect(driversMissing(present, { family: 'rpm', filesystem: 'xfs' })).toEqual(['hv_storvsc', 'xfs'])
  expect(driversMissing(present, { family: 'deb', filesystem: 'ext4' })).toEqual([
    ...['hv_storvsc', 'mptsas', 'sym53c8xx'],
  ])
})
