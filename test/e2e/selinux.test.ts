import { mkdir, readFile, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type BootedBase, bootDisk } from '../fixtures/booted-base.ts'
import { isInside, testsInside } from '../fixtures/inside.ts'
import { settingsIso, testAuthority } from '../fixtures/ovf-environment.ts'
import { diskOf, packDisk } from '../fixtures/packed-disk.ts'

// A guest that asks SELinux: its first boot labels the disk and restarts, the next applies what the customer says.
// Debian's policy, since no RPM distribution is in reach; the machine is permissive until it is up (that policy's
// systemd-tmpfiles may not read the key we come in by), and our agent runs once more, enforced.
const folder = resolve('build/e2e/selinux')

const spec = `name: labelled
version: 1.0.0
mirror:
  deb:
    - name: debian
      uri: https://deb.debian.org/debian
      suites: [bookworm]
      packages: [selinux-basics, selinux-policy-default, auditd]
basebox:
  bootstrap: { suite: bookworm, kernel_arguments: [net.ifnames=0, security=selinux] }
  disk: 3 GiB
  boxes: []
provision:
  - shell: provision.sh
`
const provision = `apt-get install -qy selinux-basics selinux-policy-default auditd
sed -i 's/^SELINUX=.*/SELINUX=permissive/' /etc/selinux/config`
const given = {
  hostname: 'labelled.example.test',
  address: '10.77.0.5/24',
  gateway: '10.77.0.1',
  dns: '10.77.0.1',
  search: 'example.test',
  ntp: '10.77.0.1',
  proxy: 'http://10.77.0.1:3128',
}
const ova = join(folder, 'build/ova-pack/labelled-1.0.0.ova')

if (process.env.APPLIANCE_TESTS !== 'full')
  test.skip('skipped, because it makes a machine and boots it three times, some ten minutes: script/test full', () => {})
else if (!isInside()) {
  await packDisk(folder, spec, provision)
  await testsInside(import.meta.url)
} else
  describe('a machine that asks SELinux', () => {
    const scratch = join(folder, 'scratch')
    let machine: BootedBase | undefined
    const said = (asked: string) => machine!.said(asked)

    beforeAll(async () => {
      await mkdir(scratch, { recursive: true })
      const ca = await readFile(await testAuthority(scratch), 'utf8')
      machine = await bootDisk({
        folder,
        name: 'labelled',
        disk: await diskOf(ova, scratch),
        nic: 'e1000',
        controller: 'lsi',
        cd: await settingsIso(scratch, { ...given, ca }),
        address: '10.77.0.5',
      })
    })
    afterAll(async () => {
      await machine?.[Symbol.asyncDispose]()
      await rm(scratch, { recursive: true, force: true })
    })

    test('was labelled at its first boot, and asks ever since', async () => {
      expect(await said('getenforce')).toBe('Permissive')
      expect(await said('ls /.autorelabel')).toBe('')
      expect(await said('stat -c %C /usr/lib/appliance/settings')).toMatch(/:lib_t:/)
      expect(await said('systemctl --failed --plain --no-legend')).toBe('')
    })

    const obeys = async () => {
      expect(await said('hostname --fqdn')).toBe('labelled.example.test')
      expect(await said('ip -4 -o address show eth0')).toContain('inet 10.77.0.5/24')
      expect(await said('cat /etc/systemd/timesyncd.conf.d/appliance.conf')).toBe('[Time]\nNTP=10.77.0.1')
      expect(await said('apt-config dump Acquire::http::Proxy')).toContain(given.proxy)
    }
    /** Where the agent writes; what `restorecon` would label otherwise. */
    const mislabelled = () =>
      said(
        'restorecon -nvr /etc /usr/lib/appliance /usr/lib/systemd/system /usr/local/share /var/lib/appliance',
      )

    test('has what the customer said, each file with its own label', async () => {
      await obeys()
      expect(await mislabelled()).toBe('')
      expect(await said('stat -c %C /etc/hosts /etc/hostname')).toMatch(/:net_conf_t:.*\n.*:net_conf_t:/)
    })

    test('lets the agent do the same where SELinux is enforced', async () => {
      await said('rm -r /var/lib/appliance /etc/systemd/timesyncd.conf.d; rm /etc/hostname; setenforce 1')
      expect(await said('systemctl restart appliance-settings; echo $?; getenforce')).toBe('0\nEnforcing')
      await said('setenforce 0')
      expect(await said('journalctl -b -o cat -u appliance-settings')).not.toContain('could not be applied')
      expect(await said('grep permissive=0 /var/log/audit/audit.log | grep :initrc_t:')).toBe('')
      await obeys()
      expect(await mislabelled()).toBe('')
    })

    test('runs it as a service that policies leave alone, not as systemd itself', async () => {
      const domain = 'systemd-run -q --pipe --wait'
      await said("printf '#!/bin/sh\\ncat /proc/$$/attr/current\\n' >/usr/lib/appliance/domain")
      await said('chmod 755 /usr/lib/appliance/domain; restorecon /usr/lib/appliance/domain')
      expect(await said(`${domain} /usr/lib/appliance/domain`)).toContain(':init_t:')
      expect(await said(`${domain} /bin/sh /usr/lib/appliance/domain`)).toContain(':initrc_t:')
      expect(await said('systemctl show -P ExecStart appliance-settings')).toContain(' argv[]=/bin/sh ')
    })
  })
