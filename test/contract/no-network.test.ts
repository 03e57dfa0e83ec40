import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { buildKey } from '../../actions/lib/guest/key.ts'
import { qemu } from '../../actions/lib/hypervisor/qemu/hypervisor.ts'
import type { MachineNetwork } from '../../actions/lib/network/network.ts'
import { privateNetwork } from '../../actions/lib/network/private.ts'
import { type TestMachine, testMachine } from '../../actions/vm-validate/test-machine.ts'
import { isInside, testsInside } from '../fixtures/inside.ts'
import { keptLog, serveEcho } from '../fixtures/machine-room.ts'
import { cannotMakeSmallDisk, smallDisk } from '../fixtures/small-disk.ts'

const lacking =
  process.env.APPLIANCE_TESTS === 'full'
    ? await cannotMakeSmallDisk()
    : 'its machines are left alone for minutes: script/test full'

if (lacking !== undefined) test.skip(`skipped, because ${lacking}`, () => {})
else if (!isInside()) await testsInside(import.meta.url)
// By UEFI, whose chipset must have a place for the card; a PC's has one anyhow.
else
  describe('a machine without any network', () => {
    const log = keptLog()
    const { signal } = new AbortController()
    let folder: string
    let network: MachineNetwork
    let machine: TestMachine
    const said = async (command: string) =>
      (await machine.guest.run(command, { signal, timeout: 60_000 })).stdout.trim()

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'appliance-no-network-'))
      network = await privateNetwork({ serve: serveEcho, log })
      machine = testMachine(
        qemu({ network: () => network, log, workDirectory: folder }),
        {
          name: 'validate',
          disk: { path: await smallDisk(), format: 'qcow2' },
          throwAway: true,
          overlay: join(folder, 'overlay.qcow2'),
          ...({ firmware: 'uefi', nic: 'virtio', controller: 'virtio', nics: 0 } as const),
          ...{ cpus: 2, memory: 512 * 2 ** 20 },
          readOnlyDisks: [],
          login: { user: 'root', key: await buildKey(folder), credential: true },
          evidence: join(folder, 'evidence'),
          accel: 'auto',
        },
        log,
      )
      await machine.start(signal)
    })
    afterAll(async () => {
      await machine?.[Symbol.asyncDispose]()
      await network?.[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    })

    test('boots by itself, and is looked into although it has no card', async () => {
      expect(await said('ls /sys/class/net')).toBe('lo')
      expect(await said('systemctl is-system-running')).toBe('running')
      // It had booted long before anything was put into it.
      const [up, came] = (
        await said('cut -d. -f1 /proc/uptime; journalctl -b -k -o short-monotonic | grep -c virtio_net')
      ).split('\n')
      expect(Number(up)).toBeGreaterThan(150)
      expect(Number(came)).toBeGreaterThan(0)
    })

    test('restarts without a card, too', async () => {
      const id = 'cat /proc/sys/kernel/random/boot_id'
      const before = await said(id)
      machine.touch()
      await machine.reboot(signal)
      expect(await said(id)).not.toBe(before)
      expect(await said('ls /sys/class/net')).toBe('lo')
      // "[  201.234567] small kernel: virtio_net …", and nothing of it earlier.
      const first = await said('journalctl -b -k -o short-monotonic --no-hostname | grep -m 1 virtio_net')
      expect(Number(/[\d.]+/.exec(first)?.[0])).toBeGreaterThan(150)
    })

    test('goes back to where it was, without a card, and at once', async () => {
      await machine.keep(signal)
      machine.touch()
      await said('echo changed >/srv/state')
      const began = performance.now()
      await machine.rewind(signal)
      expect(await said('cat /srv/state 2>/dev/null || echo nothing')).toBe('nothing')
      expect(await said('ls /sys/class/net')).toBe('lo')
      expect(performance.now() - began).toBeLessThan(120_000)
    })
  })
