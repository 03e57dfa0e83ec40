import { mkdir, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type BootedBase, bootDisk } from '../fixtures/booted-base.ts'
import { isInside, testsInside } from '../fixtures/inside.ts'
import { settingsIso } from '../fixtures/ovf-environment.ts'
import { diskOf, packDisk } from '../fixtures/packed-disk.ts'

// What the customer says on import, applied by whatever the guest has for its network and its time: real machines with
// NetworkManager, netplan and ifupdown. The example's (e2e/license-server) has networkd and timesyncd.
const folder = resolve('build/e2e/settings-systems')

const spec = `name: settled
version: 1.0.0
mirror:
  deb:
    - name: debian
      uri: https://deb.debian.org/debian
      suites: [bookworm]
      packages: [network-manager, chrony, netplan.io, ifupdown, isc-dhcp-client]
basebox:
  bootstrap: { suite: bookworm, kernel_arguments: [net.ifnames=0] }
  disk: 3 GiB
  boxes: []
provision:
  - shell: provision.sh
`

/** How a guest is set up, and what asks it whether it obeys: name → what must be in the answer. */
const systems = {
  networkmanager: {
    provision: `apt-get install -qy network-manager chrony
systemctl disable systemd-networkd
systemctl enable NetworkManager chrony`,
    commands: {
      'nmcli -t -f NAME,DEVICE,STATE connection show --active': /^appliance:eth0:activated$/m,
      'nmcli -g IP4.ADDRESS,IP4.GATEWAY,IP4.DNS,IP4.SEARCHES device show eth0':
        /^10\.77\.0\.5\/24\n10\.77\.0\.1\n10\.77\.0\.1\nexample\.test$/,
      'chronyc -n sources': /\^\? 10\.77\.0\.1 /,
      // No other beside it: the distribution's pool is asked no more.
      "chronyc -n sources | grep -c '^\\^'": /^1$/,
    },
  },
  netplan: {
    provision: `apt-get install -qy netplan.io
printf 'network:\\n  version: 2\\n  ethernets:\\n    eth0: { dhcp4: true }\\n' >/etc/netplan/01.yaml
chmod 600 /etc/netplan/01.yaml
rm -f /etc/systemd/network/80-any.network`,
    commands: {
      'networkctl status eth0': /Network File: \/etc\/systemd\/network\/05-appliance\.network/,
      'resolvectl dns eth0; resolvectl domain eth0': /: 10\.77\.0\.1\n.*: example\.test$/,
    },
  },
  ifupdown: {
    provision: `apt-get install -qy ifupdown isc-dhcp-client
printf 'auto lo\\niface lo inet loopback\\n\\nauto eth0\\niface eth0 inet dhcp\\n' >/etc/network/interfaces
systemctl disable systemd-networkd systemd-resolved
systemctl enable networking
rm /etc/resolv.conf
touch /etc/resolv.conf`,
    commands: {
      'systemctl is-active networking': /^active$/,
      'cat /etc/resolv.conf': /search example\.test\nnameserver 10\.77\.0\.1$/m,
    },
  },
} as const

const given = {
  hostname: 'settled.example.test',
  address: '10.77.0.5/24',
  gateway: '10.77.0.1',
  dns: '10.77.0.1',
  search: 'example.test',
  ntp: '10.77.0.1',
}

const packed = (system: string) => join(folder, `${system}.ova`)

if (process.env.APPLIANCE_TESTS !== 'full')
  test.skip('skipped, because it makes and boots three machines, some nine minutes: script/test full', () => {})
else if (!isInside()) {
  for (const [system, { provision }] of Object.entries(systems)) {
    await packDisk(folder, spec, provision)
    await rename(join(folder, 'build/ova-pack/settled-1.0.0.ova'), packed(system))
  }
  await testsInside(import.meta.url)
  for (const system of Object.keys(systems)) await rm(packed(system))
} else
  describe.each(Object.entries(systems))('a machine with %s', (system, { commands }) => {
    const scratch = join(folder, system)
    let machine: BootedBase | undefined

    beforeAll(async () => {
      await mkdir(scratch, { recursive: true })
      machine = await bootDisk({
        folder,
        name: system,
        disk: await diskOf(packed(system), scratch),
        nic: 'e1000',
        controller: 'lsi',
        cd: await settingsIso(scratch, given),
        address: '10.77.0.5',
      })
    })
    afterAll(async () => {
      await machine?.[Symbol.asyncDispose]()
      await rm(scratch, { recursive: true, force: true })
    })

    test('has the address that the customer gave it, no other, and its name', async () => {
      expect(await machine!.said('ip -4 -o address show scope global | wc -l')).toBe('1')
      expect(await machine!.said('ip -4 -o address show eth0')).toContain('inet 10.77.0.5/24')
      expect(await machine!.said('ip route')).toContain('default via 10.77.0.1 dev eth0')
      expect(await machine!.said('hostname; hostname --fqdn')).toBe('settled\nsettled.example.test')
    })

    test.each(Object.entries(commands))('%s', async (asked, answer) => {
      expect(await machine!.said(asked)).toMatch(answer)
    })

    test('no unit of it has failed', async () => {
      expect(await machine!.said('systemctl --failed --plain --no-legend')).toBe('')
    })
  })
