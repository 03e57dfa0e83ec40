import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { setPackageSources } from '../../actions/chef-provision/package-sources.ts'
import type { Project } from '../../actions/lib/stage/stage.ts'
import { type BootedBase, bootBase } from '../fixtures/booted-base.ts'
import { command } from '../fixtures/command.ts'
import { isInside, testsInside } from '../fixtures/inside.ts'
import { rpmSystem } from '../fixtures/rpm-system/make.ts'

const folder = resolve('build/e2e/rpm-system')
const stage = join(folder, 'build/veewee-basebox')
const PASSWORD = 'early in June'

const appliance = (repository: string, gpgkey: string) => `name: rpms
version: 1.0.0
mirror:
  rpm:
    - { name: small, baseurl: "file://${repository}", gpgkey: ${gpgkey} }
basebox:
  disk: 2 GiB
  boxes: [libvirt]
  bootstrap:
    packages: [systemd-networkd, systemd-resolved, rpm]
    timezone: Europe/Berlin
    users:
      - { name: hana, groups: [wheel], sudo: true, password: env:PASSWORD_OF_HANA }
    kernel_arguments: [net.ifnames=0]
    swap: 64 MiB
`

if (process.env.APPLIANCE_TESTS !== 'full')
  test.skip('skipped, because it makes and boots a distribution, some six minutes: script/test full', () => {})
else if (!isInside()) {
  const { repository, gpgkey } = await rpmSystem()
  await rm(join(folder, 'appliance.lock.json'), { force: true })
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'appliance.yml'), appliance(repository, gpgkey))
  const built = command({ folder, env: { PASSWORD_OF_HANA: PASSWORD } })
  const { status, output } = await built('build', '--until', 'veewee-basebox')
  test('a machine is made from RPMs in the mirror', () => {
    expect(status === 0 || output.slice(-4000)).toBe(true)
  })
  test('no password is told', () => {
    expect(output).not.toContain(PASSWORD)
  })
  test('what is on it is told, by rpm’s own database', async () => {
    const report = await readFile(join(stage, 'report.md'), 'utf8')
    expect(report).toMatch(/^### The base machine: 1\d packages, /m)
    expect(report).toMatch(/^\| kernel \| 6\.1/m)
  })
  const packing = await built('ova-pack', '--unvalidated', '--disk', join(stage, 'basebox.qcow2'))
  const ova = join(folder, 'build/ova-pack/rpms-1.0.0.ova')
  const linting = await command({})('lint', ova, '--fail-on', 'note')
  test('packed, it is an OVA in which the lint finds nothing, read to its initramfs', () => {
    expect(packing.status === 0 || packing.output.slice(-4000)).toBe(true)
    expect(linting).toEqual({ status: 0, output: 'rpms-1.0.0.ova: nothing found\n' })
  })
  test('what customers are told is on it is what rpm says there', async () => {
    const { status, output } = await command({})('verify', ova)
    expect(output).toMatch(/^ok +packages on the disk: 1\d, as the SBOM says$/m)
    expect(status).toBe(0)
  })
  await testsInside(import.meta.url)
} else
  describe('a machine of RPMs, booted', () => {
    let machine: BootedBase | undefined
    const said = (command: string) => machine!.said(command)

    beforeAll(async () => {
      machine = await bootBase(folder, 'rpms')
    })
    afterAll(async () => machine?.[Symbol.asyncDispose]())

    test('is that distribution, and no unit of it has failed', async () => {
      expect(await said('. /etc/os-release; echo $ID')).toBe('small')
      expect(await said('systemctl --failed --plain --no-legend')).toBe('')
    })

    test('knows its packages where its own rpm looks for them, and all are whole', async () => {
      expect(await said('rpm --eval %_dbpath')).toBe('/usr/lib/sysimage/rpm')
      const installed = (await said("rpm -qa --qf '%{NAME}\\n'")).split('\n')
      expect(installed).toEqual(
        expect.arrayContaining(['kernel', 'dracut', 'systemd', 'openssh-server', 'dnf', 'gpg-pubkey']),
      )
      expect(installed).not.toContain('NetworkManager')
      expect(await said('rpm -V kernel systemd openssh-server')).toBe('')
    })

    test('ran the scripts of its packages while it was made', async () => {
      expect(await said('cat /etc/scripts-were-run')).toBe('yes')
    })

    test('would start whatever kernel is newest, with drivers for any machine', async () => {
      const release = await said('uname -r')
      expect(await said('readlink /boot/vmlinuz /boot/initramfs.img')).toBe(
        `vmlinuz-${release}\ninitramfs-${release}.img`,
      )
      expect(
        await said(
          'lsinitrd /boot/initramfs-$(uname -r).img | grep -c -e /mptspi.ko -e /ahci.ko -e /nvme.ko',
        ),
      ).toBe('3')
      expect(await said('cat /proc/cmdline')).toContain(' net.ifnames=0')
    })

    test('has users, time and swap as the spec says', async () => {
      const sudo = `su hana -s /bin/sh -c "echo '${PASSWORD}' | sudo -S -p '' id -u 2>/dev/null"`
      expect(await said(sudo)).toBe('0')
      expect(await said('date -d "2026-07-01 12:00 UTC" +%H:%M%Z')).toBe('14:00CEST')
      expect(await said('swapon --noheadings --show=NAME')).toBe('/swapfile')
      expect(await said('passwd -S root')).toMatch(/^root L/)
    })

    test('asks upstream for packages, with its key', async () => {
      expect(await said('cat /etc/yum.repos.d/small.repo')).toMatch(
        /^baseurl=file:.*\nenabled=1\ngpgcheck=1\ngpgkey=file:\/\/\/etc\/pki\/rpm-gpg\/appliance-small-/m,
      )
      expect(await said('grep -rl mirror.internal /etc || echo none')).toBe('none')
    })

    test('asks at the customer’s whom package_sources says, and nobody else', async () => {
      const set = (sources: Project['spec']['packageSources']) =>
        setPackageSources(machine!.guest, sources, new AbortController().signal)
      const asked = () => said('dnf -q repolist --all | tail -n +2')
      await set('upstream')
      expect(await asked()).toMatch(/^small /)
      const vendor = join(folder, 'vendor.repo')
      await writeFile(vendor, '[vendor]\nname=Vendor\nbaseurl=https://packages.example.com/rpm\n', {
        mode: 0o600,
      })
      await set({ files: [vendor] })
      expect(await asked()).toMatch(/^vendor +Vendor +enabled$/)
      expect(await said("stat -c '%U %a' /etc/yum.repos.d/vendor.repo")).toBe('root 644')
      await set('none')
      expect(await asked()).toBe('')
    })
  })
