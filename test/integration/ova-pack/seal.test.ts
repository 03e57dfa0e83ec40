import { createHash } from 'node:crypto'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { run } from '../../../actions/lib/process/command.ts'
import type { SealReport } from '../../../actions/ova-pack/seal.ts'
import { type Needle, publicKey } from '../../../actions/ova-pack/secrets.ts'
import { debugfs, ROOT, sampleDisk } from './sample-disk.ts'
import { BODY, BUILD_KEY, doomed, kept, PEM } from './sample-files.ts'
import { sealCopy } from './seal-copy.ts'

jest.setTimeout(120_000)

let folder: string
let provisioned: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ova-seal-'))
  provisioned = await sampleDisk(join(folder, 'provisioned.raw'), { ...doomed, ...kept })
  // Logs belong to their programs; a file deleted during the build still lies in free space.
  const secret = join(folder, 'deleted')
  await writeFile(secret, PEM.repeat(200))
  await debugfs(
    provisioned,
    'sif /var/log/postgresql uid 101',
    'sif /var/log/postgresql mode 042770',
    'sif /var/log/nginx/access.log uid 33',
    'sif /var/log/nginx/access.log gid 4',
    'sif /var/log/nginx/access.log mode 0100640',
    `write ${secret} deleted`,
    'rm deleted',
  )
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const sealed = (name: string, needles: Needle[] = [], from = provisioned) =>
  sealCopy(from, { folder, name, tools: { run }, needles })

async function changed(name: string, ...commands: string[]): Promise<string> {
  const disk = join(folder, name)
  await cp(provisioned, disk)
  await debugfs(disk, ...commands)
  return disk
}

async function textFile(text: string): Promise<string> {
  const path = join(folder, `text-${createHash('md5').update(text).digest('hex')}`)
  await writeFile(path, text)
  return path
}

describe('a sealed disk, read by debugfs', () => {
  let disk: string
  let report: SealReport
  beforeAll(async () => {
    ;({ disk, report } = await sealed('sealed.raw', [publicKey(BUILD_KEY)]))
  })

  test.each(Object.keys(doomed))('%s is gone', async (path) => {
    expect(await debugfs(provisioned, `stat "${path.replaceAll('"', '""')}"`)).toContain('Inode: ')
    expect(await debugfs(disk, `stat "${path.replaceAll('"', '""')}"`)).toContain('File not found')
  })

  test('the folders of what is gone are still there', async () => {
    for (const path of [
      '/tmp',
      '/var/tmp',
      '/var/lib/dhcp',
      '/var/log/journal',
      '/var/lib/apt/lists/partial',
      '/root/.ssh',
    ])
      expect(await debugfs(disk, `stat ${path}`)).toContain('Type: directory')
  })

  test('machine-id is empty and read-only, and dbus takes it from there', async () => {
    expect(await debugfs(disk, 'stat /etc/machine-id')).toMatch(/Mode: {2}0444[\s\S]* Size: 0\n/)
    expect(await debugfs(disk, 'stat /var/lib/dbus/machine-id')).toContain(
      'Fast link dest: "/etc/machine-id"',
    )
  })

  test('it has the name of the appliance, and only that', async () => {
    expect(await debugfs(disk, 'cat /etc/hostname')).toBe('license-server\n')
    expect(await debugfs(disk, 'cat /etc/hosts')).toBe('127.0.0.1\tlocalhost\n127.0.1.1\tlicense-server\n')
  })

  test('names are resolved by systemd-resolved, which is enabled', async () => {
    expect(await debugfs(disk, 'stat /etc/resolv.conf')).toContain(
      'Fast link dest: "../run/systemd/resolve/stub-resolv.conf"',
    )
  })

  test('where systemd-resolved is installed and not enabled, who is asked for names is left to others', async () => {
    const wants = '/etc/systemd/system/sysinit.target.wants/systemd-resolved.service'
    const idle = await changed('idle.raw', `rm ${wants}`)
    const { disk } = await sealed('idle-sealed.raw', [], idle)
    expect(await debugfs(disk, 'stat /etc/resolv.conf')).toMatch(/Type: regular[\s\S]* Size: 0\n/)
  })

  test('what is written anew keeps its label, capabilities and further attributes', async () => {
    const label = 'system_u:object_r:net_conf_t:s0'
    const before = await changed(
      'labels.raw',
      `ea_set /etc/hosts security.selinux ${label}`,
      'ea_set /etc/hosts user.why "a reason"',
    )
    const { disk } = await sealed('labels-sealed.raw', [], before)
    expect(await debugfs(disk, 'cat /etc/hosts')).toContain('license-server')
    expect(await debugfs(disk, 'ea_list /etc/hosts')).toBe(
      `Extended attributes:\n  security.selinux (${label.length}) = "${label}"\n  user.why (8) = "a reason"\n`,
    )
    await run('e2fsck', ['-fn', `${disk}?offset=${ROOT}`])
  })

  test('what was for the build machine’s card is for any', async () => {
    for (const [path, content] of [
      [
        '/etc/NetworkManager/system-connections/wired.nmconnection',
        '[connection]\ntype=ethernet\n[ethernet]\n',
      ],
      ['/etc/systemd/network/10-build.network', '[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n'],
      ['/etc/sysconfig/network-scripts/ifcfg-ens3', 'DEVICE=ens3\nBOOTPROTO=dhcp\n'],
    ])
      expect([path, await debugfs(disk, `cat ${path}`)]).toEqual([path, content])
    expect(await debugfs(disk, 'cat /etc/netplan/90-appliance.yaml')).toContain('match: { name: "e*" }')
  })

  test('host keys and certificate are made at first boot, by units that are enabled', async () => {
    for (const [unit, target] of [
      ['appliance-ssh-host-keys', 'multi-user'],
      ['appliance-snakeoil', 'basic'],
    ]) {
      const link = await debugfs(disk, `stat /etc/systemd/system/${target}.target.wants/${unit}.service`)
      expect(link).toContain(`"/usr/lib/systemd/system/${unit}.service"`)
      expect(await debugfs(disk, `cat /usr/lib/systemd/system/${unit}.service`)).toMatch(
        /\nConditionPathExists=!\/etc\/ss/,
      )
    }
  })

  test('logs are empty but keep owner and mode, and so do their folders', async () => {
    const log = await debugfs(disk, 'stat /var/log/nginx/access.log')
    expect(log).toMatch(/Mode: {2}0640[\s\S]*User: +33 +Group: +4 [\s\S]*Size: 0\n/)
    expect(await debugfs(disk, 'stat /var/log/postgresql')).toMatch(/Mode: {2}02770[\s\S]*User: +101 /)
  })

  test('what belongs to the product and the system stays', async () => {
    for (const path of [
      '/etc/netplan/60-any.yaml',
      '/etc/systemd/network/80-any.network',
      '/var/lib/dpkg/status',
      '/srv/app/logs/app.log',
      '/var/backups/license-server/first.tar',
      '/etc/passwd',
      '/var/lib/systemd/deb-systemd-helper-enabled/x',
    ])
      expect(await debugfs(disk, `cat ${path}`)).toBe(kept[path])
  })

  test('nothing of what was deleted is left, neither in free space nor as a name in a folder', async () => {
    expect((await readFile(provisioned)).includes('BEGIN PRIVATE KEY')).toBe(true)
    const bytes = await readFile(disk)
    for (const trace of [
      'BEGIN PRIVATE KEY',
      BODY,
      '0123456789abcdef0123456789abcdef',
      'macaddress',
      '52:54:00:12:34:56',
    ])
      expect([trace, bytes.includes(trace)]).toEqual([trace, false])
    expect(report.free).toBeGreaterThan(20 * 2 ** 20)
  })

  test('the file system is whole, and the partitions are where they were', async () => {
    const { stdout } = await run('e2fsck', ['-fn', `${disk}?offset=${ROOT}`])
    expect(stdout).not.toMatch(/error|fix\?/i)
    const table = async (path: string) => (await run('sfdisk', ['-d', path])).stdout.replaceAll(path, '')
    expect(await table(disk)).toBe(await table(provisioned))
  })

  test('the report tells which operation changed what', () => {
    const operation = (name: string) =>
      report.operations.find((candidate) => candidate.name === name)?.changed
    expect(operation('SSH host keys')).toEqual([
      '/etc/ssh/ssh_host_ed25519_key',
      '/etc/ssh/ssh_host_ed25519_key.pub',
    ])
    expect(operation('random seed')).toEqual(['/var/lib/systemd/random-seed'])
    expect(report.os).toEqual({ id: 'debian' })
    expect(report.tolerated).toEqual([])
  })

  test('sealing again gives the same bytes, and sealing what is sealed changes nothing', async () => {
    const digest = async (path: string) =>
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex')
    const again = await sealed('again.raw')
    expect(await digest(again.disk)).toBe(await digest(disk))
    const twice = await sealed('twice.raw', [], disk)
    expect(twice.report.operations.filter(({ changed }) => changed.length > 0)).toEqual([])
  })
})

describe('sealing refuses, naming file and reason', () => {
  test('a private key of the product', async () => {
    const disk = await changed('key.raw', 'cd /srv/app', `write ${await textFile(PEM)} server.key`)
    await expect(sealed('key-sealed.raw', [], disk)).rejects.toMatchObject({
      code: 'check-failed',
      message: expect.stringMatching(/a private key in \/srv\/app\/server\.key \(first at byte \d+\)$/),
    })
  })

  test('the build’s key, wherever it was copied', async () => {
    const disk = await changed('copied.raw', 'cd /srv', `write ${await textFile(BUILD_KEY)} deploy.pub`)
    const needles = [publicKey(BUILD_KEY)]
    await expect(sealed('copied-sealed.raw', needles, disk)).rejects.toThrow(
      "the build's SSH key in /srv/deploy.pub",
    )
  })

  test('the mirror’s address in a file', async () => {
    const text = 'repository=http://mirror/git/app.git\n'
    const disk = await changed('address.raw', 'cd /srv/app', `write ${await textFile(text)} settings.ini`)
    await expect(sealed('address-sealed.raw', [], disk)).rejects.toThrow(
      "the mirror's address http://mirror in /srv/app/settings.ini",
    )
  })

  test('a file system that was not shut down in order and cannot be mended', async () => {
    const disk = await changed('damaged.raw', 'clri <12>', 'sif /etc mode 0100644')
    await expect(sealed('damaged-sealed.raw', [], disk)).rejects.toThrow(
      'the root file system is damaged before sealing',
    )
  })
})

test('a private key that a Debian package ships is left and reported', async () => {
  const md5 = createHash('md5').update(PEM).digest('hex')
  const disk = await changed(
    'shipped.raw',
    'mkdir /usr/share',
    'cd /usr/share',
    `write ${await textFile(PEM)} example.pem`,
    'mkdir /var/lib/dpkg/info',
    'cd /var/lib/dpkg/info',
    `write ${await textFile(`${md5}  usr/share/example.pem\n`)} example.md5sums`,
  )
  const { report } = await sealed('shipped-sealed.raw', [], disk)
  expect(report.tolerated.map(({ place, tolerated }) => [place, tolerated])).toEqual([
    ['/usr/share/example.pem', 'as its package shipped it'],
  ])
})
