import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { firstBootRunner, firstBootUnit } from '../../../actions/chef-provision/first-boot.ts'
import { chordNamed, chordOf } from '../../../actions/lib/console/keys.ts'
import { Ext4 } from '../../../actions/lib/disk/ext4.ts'
import { rootPartition } from '../../../actions/lib/disk/root-partition.ts'
import type { Guest } from '../../../actions/lib/guest/guest.ts'
import { buildKey } from '../../../actions/lib/guest/key.ts'
import type { Machine } from '../../../actions/lib/hypervisor/hypervisor.ts'
import { qemu } from '../../../actions/lib/hypervisor/qemu/hypervisor.ts'
import type { MachineNetwork } from '../../../actions/lib/network/network.ts'
import { privateNetwork } from '../../../actions/lib/network/private.ts'
import type { Property } from '../../../actions/lib/ovf/properties.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { settingGroups } from '../../../actions/lib/spec/property.ts'
import { toRaw } from '../../../actions/ova-pack/raw-disk.ts'
import { seal } from '../../../actions/ova-pack/seal.ts'
import { settingProperties } from '../../../actions/ova-pack/settings/properties.ts'
import { isInside, testsInside } from '../../fixtures/inside.ts'
import { keptLog, serveEcho } from '../../fixtures/machine-room.ts'
import { settingsIso, testAuthority } from '../../fixtures/ovf-environment.ts'
import { cannotMakeSmallDisk, smallDisk } from '../../fixtures/small-disk.ts'

jest.setTimeout(900_000)
const why = await cannotMakeSmallDisk()
if (why) test.skip(`skipped, because ${why}`, () => {})
else if (!isInside()) {
  await smallDisk() // inside, there is nothing to make it from
  await testsInside(import.meta.url)
} else describe('a sealed machine whose customer has said everything on import', firstBoot)

function firstBoot(): void {
  const signal = new AbortController().signal
  const log = keptLog()
  const address = '10.77.0.5'
  const given = {
    hostname: 'web.example.test',
    address: `${address}/24`,
    gateway: '10.77.0.1',
    dns: '10.77.0.1',
    search: 'example.test',
    ntp: 'ntp.example.test',
    proxy: 'http://proxy.example.test:3128',
    admin_mail: 'ada@example.test',
  }
  let folder: string
  let network: MachineNetwork
  let machine: Machine
  let guest: Guest
  let authority: string
  const said = async (command: string) => (await guest.run(command, { allowFailure: true })).stdout.trim()

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'first-boot-'))
    const disk = join(folder, 'disk.raw')
    await toRaw(await smallDisk(), disk, signal)
    await provision(disk, folder)
    const admin: Property = {
      ...{ key: 'admin_mail', type: 'string', label: 'Administrator' },
      ...{ description: 'Gets mail', default: 'root@localhost' },
    }
    await seal({
      disk,
      tools: { run },
      scratch: join(folder, 'scratch'),
      generalisation: {
        hostname: 'good',
        mirrorUrls: ['http://mirror.internal'],
        buildUser: undefined,
        root: { kind: 'asks' },
        properties: [...settingProperties(settingGroups, 'good'), admin],
      },
      needles: [],
      allowed: [],
      // Larger than it was built, as pack.hardware.disk may have it.
      size: 1200 * 2 ** 20,
      log,
      signal,
    })
    network = await privateNetwork({ serve: serveEcho, log })
    authority = await testAuthority(folder)
    const iso = await settingsIso(folder, { ...given, ca: await readFile(authority, 'utf8') })
    // It asks nobody for an address.
    const fixed: MachineNetwork = {
      ...network,
      plug: (plugged) => network.plug({ ...plugged, address }),
    }
    machine = await qemu({ network: () => fixed, log, workDirectory: folder }).boot(
      {
        name: 'first-boot',
        disk: { path: disk, format: 'raw' },
        throwAway: true,
        // And larger still, as customers make it.
        enlarge: 2 * 2 ** 30,
        cpus: 1,
        memory: 512 << 20,
        firmware: 'bios',
        nic: 'virtio',
        controller: 'virtio',
        // Its kernel knows no IDE: the image comes as a disk, as KVM's "config drives" do; by CD in e2e.
        readOnlyDisks: [{ path: iso, serial: 'ovf' }],
        login: { user: 'root', key: await buildKey(folder), credential: true },
        evidence: join(folder, 'evidence'),
        accel: 'auto',
      },
      signal,
    )
    guest = await machine.guest(signal)
  })
  afterAll(async () => {
    await machine?.[Symbol.asyncDispose]()
    await network?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  test('has the static address, router, name server and search domain', async () => {
    expect(await said('ip -4 -o address show scope global')).toContain(`inet ${address}/24`)
    expect(await said('ip route show default')).toMatch(/^default via 10\.77\.0\.1 /)
    expect(await said('networkctl --no-pager status "$(ls /sys/class/net | grep ^e)"')).toMatch(
      /DNS: 10\.77\.0\.1[\s\S]*Search Domains: example\.test/,
    )
  })

  test('has the name', async () => {
    expect(await said('hostname; cat /etc/hostname; getent hosts web.example.test')).toMatch(
      /^web\nweb\n127\.0\.1\.1 +web\.example\.test web$/,
    )
  })

  test('has the time servers and the proxy, for services, logins and apt', async () => {
    expect(await said('cat /etc/systemd/timesyncd.conf.d/appliance.conf')).toBe(
      '[Time]\nNTP=ntp.example.test',
    )
    expect(await said('systemctl show-environment')).toContain(`http_proxy=${given.proxy}`)
    expect(await said('cat /etc/environment')).toContain(`https_proxy=${given.proxy}`)
    expect(await said('apt-config dump Acquire::http::Proxy')).toContain(given.proxy)
  })

  test('trusts the certificate authority, as far as it has a list of those', async () => {
    const pem = (await readFile(authority, 'utf8')).trim()
    expect(await said('cat /usr/local/share/ca-certificates/appliance.crt')).toBe(pem)
  })

  test('hands the property of the user to the script of first_boot', async () => {
    await guest.run('until [ -e /var/lib/appliance/first-boot.done ]; do sleep 0.2; done', {
      timeout: 300_000,
    })
    expect(await said('cat /var/lib/mail-to')).toBe('ada@example.test web.example.test')
  })

  test('has let its root grow into the disk that the customer enlarged', async () => {
    expect(await said('journalctl -b -u appliance-grow --no-pager -o cat')).toMatch(
      /^appliance-grow: \/dev\/vda3 has grown by 8\d\d MiB$/m,
    )
    expect(Number(await said('findmnt -bno SIZE /'))).toBeGreaterThan(1.85 * 2 ** 30)
  })

  test('has failed in nothing', async () => {
    expect(await said('systemctl --failed --plain --no-legend')).toBe('')
  })

  test('asks at the console for a password for root, until it is one, and then lets root in by it', async () => {
    const shows = async (text: RegExp) => {
      let rows: readonly string[] = []
      for (let tries = 0; tries < 600; tries++) {
        rows = (await machine.console.text())?.rows ?? []
        if (text.test(rows.map((row) => row.trimEnd()).join('\n'))) return
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
      throw new Error(`${text} is not on the screen:\n${rows.join('\n').trimEnd()}`)
    }
    const enter = async (text: string) => {
      for (const character of text) await machine.console.press(chordOf(character)!)
      await machine.console.press(chordNamed('enter')!)
    }
    expect(await said('getent shadow root | cut -d: -f2')).toBe('!*')
    await shows(/web: choose a password for root\.\nPassword:$/m)
    await enter('')
    await shows(/^Once more:$/m)
    await enter('')
    await shows(/^An empty password is none\.$/m)
    await enter('correct horse')
    await enter('battery')
    await shows(/^They differ\.$/m)
    await enter('correct horse')
    await enter('correct horse')
    await shows(/^web login:$/m)
    await enter('root')
    await shows(/^web login: root\nPassword:$/m)
    await enter('correct horse')
    await shows(/^root@web:~#$/m)
    // Keys that interrupt have been let go again.
    await enter('sleep 1000')
    await machine.console.press(['ctrl', 'c'])
    await enter('echo I am $(id -un) >/dev/tty1; touch /root/was-here')
    await shows(/^I am root$/m)
    expect(await said('ls /root/was-here /var/lib/appliance/root-password.done')).toBe(
      '/root/was-here\n/var/lib/appliance/root-password.done',
    )
  })

  /** Of first_boot's runner; each of the scripts writes down that it ran. */
  const order = () => said('cat /var/lib/order')
  test('runs first_boot scripts in order, and again what failed or was interrupted, that alone', async () => {
    const scripts = {
      '01-one.sh': 'echo one >>/var/lib/order',
      '02-two.sh':
        'echo two >>/var/lib/order; [ -e /var/lib/two ] || { touch /var/lib/two; echo sorry; exit 3; }',
      '03-three.sh':
        'echo three >>/var/lib/order; sync; [ -e /var/lib/three ] || { touch /var/lib/three; sync; sleep 3600; }',
      '04-four.sh': 'echo four >>/var/lib/order',
    }
    const at = '/usr/lib/appliance/first-boot.d'
    const write = Object.entries(scripts).map(
      ([name, text]) => `printf '%s\\n' '#!/bin/sh' '${text}' >${at}/${name}; chmod 755 ${at}/${name}`,
    )
    const log = '/var/lib/appliance/first-boot.log'
    await guest.run(`rm ${at}/* ${log} /var/lib/appliance/first-boot.done; ${write.join('; ')}; sync`)
    // What a boot does, without the time that one takes.
    const again = 'systemctl reset-failed appliance-first-boot; systemctl restart appliance-first-boot'
    expect(await said(`${again} 2>/dev/null; systemctl is-failed appliance-first-boot`)).toBe('failed')
    expect(await order()).toBe('one\ntwo')
    await guest.run(
      `${again.replace('restart', 'restart --no-block')}; until [ -e /var/lib/three ]; do sleep 0.2; done`,
      {
        timeout: 300_000,
      },
    )
    expect(await order()).toBe('one\ntwo\ntwo\nthree')
    await machine.power!.cut()
    await machine.power!.on()
    guest = await machine.guest(signal)
    await guest.run('until [ -e /var/lib/appliance/first-boot.done ]; do sleep 0.2; done', {
      timeout: 300_000,
    })
    expect(await order()).toBe('one\ntwo\ntwo\nthree\nthree\nfour')
    expect((await said(`cat ${log}`)).replaceAll(/\d{4}-\d\d-\d\dT[\d:]+Z/g, 'TIME')).toBe(
      '== TIME 01-one.sh\n== TIME 02-two.sh\nsorry\n== 02-two.sh failed (3)\n== TIME 02-two.sh\n== TIME 03-three.sh\n== TIME 03-three.sh\n== TIME 04-four.sh',
    )
    expect(
      await said('systemctl is-active appliance-first-boot; ls -d /var/lib/appliance/first-boot.done*'),
    ).toBe('active\n/var/lib/appliance/first-boot.done')
  })
}

/** What chef-provision would have left: a script of `first_boot:` and what runs it. */
async function provision(disk: string, scratch: string): Promise<void> {
  const { start } = await rootPartition(disk)
  const root = new Ext4({ run }, disk, start, scratch, new AbortController().signal)
  const script = '#!/bin/sh\necho "$PROPERTY_admin_mail $PROPERTY_hostname" >/var/lib/mail-to\n'
  const write = (path: string, text: string, mode: number) =>
    ({ kind: 'write', path, content: Buffer.from(text), mode, over: undefined }) as const
  const unit = '/usr/lib/systemd/system/appliance-first-boot.service'
  const link = '/etc/systemd/system/multi-user.target.wants/appliance-first-boot.service'
  await root.apply([
    { kind: 'folder', path: '/usr/lib/appliance' },
    { kind: 'folder', path: '/usr/lib/appliance/first-boot.d' },
    write('/usr/lib/appliance/first-boot.d/01-mail.sh', script, 0o755),
    write('/usr/lib/appliance/first-boot', firstBootRunner(), 0o755),
    write(unit, firstBootUnit(), 0o644),
    { kind: 'link', path: link, target: unit, over: undefined },
  ])
}
