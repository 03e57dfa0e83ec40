import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import type {
  DiskController,
  Firmware,
  Machine,
  MachineSpec,
  NicModel,
} from '../../actions/lib/hypervisor/hypervisor.ts'
import { qemu } from '../../actions/lib/hypervisor/qemu/hypervisor.ts'
import type { MachineNetwork } from '../../actions/lib/network/network.ts'
import { privateNetwork } from '../../actions/lib/network/private.ts'
import { isInside, testsInside } from '../fixtures/inside.ts'
import { keptLog, serveEcho } from '../fixtures/machine-room.ts'

jest.setTimeout(60_000)

const controllers: DiskController[] = ['virtio', 'ahci', 'lsi', 'pvscsi', 'nvme']
const nics: NicModel[] = ['virtio', 'e1000', 'e1000e', 'vmxnet3', 'pcnet']
const firmwares: Firmware[] = ['bios', 'uefi']

if (!isInside()) await testsInside(import.meta.url)
else
  describe("QEMU's devices", () => {
    const signal = new AbortController().signal
    const log = keptLog()
    let folder: string
    let network: MachineNetwork
    let spec: MachineSpec
    const driver = qemu({ network: () => network, log })

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'qemu-devices-'))
      await writeFile(join(folder, 'empty.img'), Buffer.alloc(1 << 20))
      network = await privateNetwork({ serve: serveEcho, log })
      spec = {
        name: 'devices',
        disk: { path: join(folder, 'empty.img'), format: 'raw' },
        throwAway: true,
        cpus: 1,
        memory: 64 << 20,
        firmware: 'bios',
        nic: 'virtio',
        controller: 'virtio',
        readOnlyDisks: [],
        login: { user: 'root', key: join(folder, 'none'), credential: false },
        evidence: join(folder, 'evidence'),
        accel: 'tcg',
      }
    })
    afterAll(async () => {
      await network[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    })

    /** Each controller and each network card once, with each firmware. */
    const models = firmwares.flatMap((firmware) =>
      controllers.map((controller, index) => ({ firmware, controller, nic: nics[index]! })),
    )
    test.each(models)('$firmware with $controller and $nic run', async (model) => {
      await using machine = await driver.boot({ ...spec, ...model }, signal)
      const picture = join(folder, 'screen.png')
      await machine.screenshot(picture)
      await expect(machine.guest(signal, 10)).rejects.toMatchObject({ code: 'no-answer' })
    })

    test('several machines run at once, each with a MAC and a plug of its own', async () => {
      const machines: Machine[] = []
      try {
        for (const name of ['one', 'two', 'three'])
          machines.push(await driver.boot({ ...spec, name }, signal))
        const pictures = machines.map((machine, index) =>
          machine.screenshot(join(folder, `screen-${index}.png`)),
        )
        await expect(Promise.all(pictures)).resolves.toHaveLength(3)
      } finally {
        await Promise.all(machines.map((machine) => machine[Symbol.asyncDispose]()))
      }
      await using again = await driver.boot({ ...spec, mac: '52:54:00:12:34:56' }, signal)
      expect(again.evidence).toHaveLength(1)
    })

    test('KVM is not pretended', async () => {
      const attempt = driver
        .boot({ ...spec, accel: 'kvm' }, signal)
        .then((machine) => machine[Symbol.asyncDispose]())
      const outcome = await attempt.catch((error) => error)
      if (outcome !== undefined)
        expect(outcome).toMatchObject({
          code: 'missing-tool',
          message: expect.stringMatching(/accel: kvm is not possible here: /),
        })
    })
  })
