import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { Guest } from '../../../actions/lib/guest/guest.ts'
import { run } from '../../../actions/lib/process/command.ts'
import type { CheckContext } from '../../../actions/vm-validate/checks/check.ts'
import { faultsFound, hygieneChecks } from '../../../actions/vm-validate/checks/hygiene.ts'
import { sealedChecks } from '../../../actions/vm-validate/checks/sealed.ts'

const publicKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBuildKey appliance build'
const longAgo = new Date('2020-01-01')

describe('a sealed disk at its first boot', () => {
  let root: string
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'appliance-sealed-'))
    await put('/etc/machine-id', `${'0123456789abcdef'.repeat(2)}\n`)
    await put('/etc/ssh/ssh_host_ed25519_key', 'private')
    await put('/etc/ssh/ssh_host_ed25519_key.pub', 'public')
    await put('/root/.ssh/authorized_keys', `# from the credential\n${publicKey}\n`)
    await put('/etc/hostname', 'license-server\n')
    await put('/etc/hosts', '127.0.0.1 localhost\n')
    await put('/etc/apt/sources.list', 'deb https://deb.example.test/debian bookworm main\n')
    await put('/var/log/journal.log', 'this boot')
    await put('/etc/systemd/network/any.network', '[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n')
  })
  afterEach(() => rm(root, { recursive: true }))

  async function put(path: string, content: string, born?: Date) {
    const file = join(root, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
    if (born) await utimes(file, born, born)
  }

  /** The checks as they run in a guest, on the folder instead. */
  async function faults(shippedKeys: string[] = []): Promise<Record<string, string[]>> {
    const here = {
      run: (script: string) => run('/bin/sh', ['-c', script], { allowFailure: true }),
    } as unknown as Guest
    const found: Record<string, string[]> = {}
    for (const check of hygieneChecks({ publicKey, shippedKeys, hostname: 'license-server', root })) {
      const lines = await faultsFound(here, check, new AbortController().signal)
      if (lines.length > 0) found[check.title] = lines.map((line) => line.replaceAll(root, ''))
    }
    return found
  }

  test('passes when all is as it should be', async () => {
    expect(await faults()).toEqual({})
  })

  test('takes a key that the spec ships for no stranger’s, and no other one for it', async () => {
    const shipped = 'from="10.0.0.0/8" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIShipped admin@example'
    await put('/root/.ssh/authorized_keys', `${shipped}\n${publicKey}\n`)
    expect(await faults([shipped.replace('admin@example', 'as in the project'), ''])).toEqual({})
    const title = 'no key opens it but those declared, and the one handed in for this test'
    expect(await faults(['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAnother'])).toEqual({
      [title]: [`/root/.ssh/authorized_keys lets in: ${shipped}`],
    })
  })

  test.each<[string, string, () => Promise<unknown>]>([
    ['an empty machine-id', 'the machine-id is fresh', () => put('/etc/machine-id', '')],
    [
      'the machine-id of the disk',
      'the machine-id is fresh',
      () => put('/etc/machine-id', `${'ab'.repeat(16)}\n`, longAgo),
    ],
    [
      'another machine-id for D-Bus',
      'the machine-id is fresh',
      () => put('/var/lib/dbus/machine-id', `${'cd'.repeat(16)}\n`),
    ],
    [
      'shared host keys',
      'the SSH host keys were made at this boot',
      () => put('/etc/ssh/ssh_host_rsa_key', 'old', longAgo),
    ],
    [
      'no host keys',
      'the SSH host keys were made at this boot',
      () => rm(join(root, 'etc/ssh/ssh_host_ed25519_key')),
    ],
    [
      'a forgotten key',
      'no key opens it but those declared, and the one handed in for this test',
      () => put('/home/build/.ssh/authorized_keys', 'ssh-rsa AAAA somebody\n'),
    ],
    [
      'the build’s key elsewhere',
      'no key opens it but those declared, and the one handed in for this test',
      () => put('/etc/dropbear/keys', publicKey),
    ],
    ['the host name of the build', 'its name is its own', () => put('/etc/hostname', 'basebox\n')],
    ['the mirror in hosts', 'its name is its own', () => put('/etc/hosts', '10.77.0.1 mirror\n')],
    [
      'the mirror in apt',
      'nothing points to the mirror',
      () =>
        put('/etc/apt/sources.list.d/x.list', 'deb [signed-by=/k] http://mirror/deb/debian appliance main\n'),
    ],
    ['Chef', 'no Chef and no tools of the build are left', () => put('/etc/chef/client.rb', '')],
    [
      'a dangling tools link',
      'no Chef and no tools of the build are left',
      () => symlink('/nowhere', join(root, 'tools')),
    ],
    [
      'a shell history',
      'no journal, log or history of the build is left',
      () => put('/root/.bash_history', 'passwd\n'),
    ],
    [
      'an old log',
      'no journal, log or history of the build is left',
      () => put('/var/log/dpkg.log', 'installed', longAgo),
    ],
    [
      'a DHCP lease',
      'no address or network card of the build is remembered',
      () => put('/var/lib/dhcp/dhclient.leases', 'lease', longAgo),
    ],
    [
      'a DHCP lease of dhcpcd',
      'no address or network card of the build is remembered',
      () => put('/var/lib/dhcpcd/eth0.lease', 'lease', longAgo),
    ],
    [
      'a fixed MAC',
      'no address or network card of the build is remembered',
      () => put('/etc/netplan/50-cloud-init.yaml', '      macaddress: 52:54:00:12:34:56\n'),
    ],
    [
      'a snakeoil key for everyone',
      'secrets that must differ per installation were made at this boot',
      () => put('/etc/ssl/private/ssl-cert-snakeoil.key', 'key', longAgo),
    ],
  ])('%s is found', async (_, title, spoil) => {
    await spoil()
    expect(Object.keys(await faults())).toEqual([title])
  })

  test('a check that breaks off is not taken for one that found nothing', async () => {
    const broken = {
      run: async () => ({ status: 2, stdout: '', stderr: 'sh: syntax error\n' }),
    } as unknown as Guest
    const [check] = hygieneChecks({ publicKey, hostname: 'license-server', root })
    const found = await faultsFound(broken, check!, new AbortController().signal)
    expect(found).toEqual(['the check broke off: sh: syntax error'])
  })
})

test('secrets are found in whatever byte of the disk they lie, also across what is read at a time', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'appliance-secrets-'))
  try {
    const path = join(folder, 'disk.raw')
    const look = async (content: Buffer) => {
      await writeFile(path, content)
      const check = sealedChecks.find(({ name }) => name === 'secrets')!
      const { faults } = await check.look({
        course: { workDirectory: folder, secrets: new Set(['a secret word', 'short']) },
        ...{ publicKey, disk: { path, format: 'raw' }, signal: new AbortController().signal },
      } as unknown as CheckContext)
      return faults
    }
    const disk = Buffer.alloc(3 << 20, 'nothing to see, short of it ')
    expect(await look(disk)).toEqual([])
    disk.write('a secret word', (1 << 20) - 5)
    disk.write(publicKey, (3 << 20) - publicKey.length)
    expect(await look(disk)).toEqual([
      'secret 1 of the spec is on the disk',
      'the build’s SSH key is on the disk',
    ])
  } finally {
    await rm(folder, { recursive: true })
  }
})
