import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { buildKey } from '../../actions/lib/guest/key.ts'
import type { MachineSpec, SavedMachine } from '../../actions/lib/hypervisor/hypervisor.ts'
import { qemu } from '../../actions/lib/hypervisor/qemu/hypervisor.ts'
import type { MachineNetwork } from '../../actions/lib/network/network.ts'
import { privateNetwork } from '../../actions/lib/network/private.ts'
import { run } from '../../actions/lib/process/command.ts'
import { isInside, testsInside } from '../fixtures/inside.ts'
import { keptLog, serveEcho } from '../fixtures/machine-room.ts'
import { cannotMakeSmallDisk, smallDisk } from '../fixtures/small-disk.ts'

jest.setTimeout(300_000)
const why = await cannotMakeSmallDisk()
if (why) test.skip(`qemu: skipped, because ${why}`, () => {})
else if (!isInside()) {
  await smallDisk() // inside, there is nothing to make it from
  await testsInside(import.meta.url)
} else checkpoints()

/** A machine that stays as it was at one moment, its disk and itself, while it goes on. */
function checkpoints(): void {
  const signal = new AbortController().signal
  const log = keptLog()
  let folder: string
  let saved: SavedMachine

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'checkpoint-'))
    await overlay('first', await smallDisk())
    await overlay('next', join(folder, 'first'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  const overlay = (name: string, over: string) =>
    run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', over, join(folder, name)])

  /** Over a network of its own: nothing of an earlier one is known there. */
  async function boot(network: MachineNetwork, disk: string, more: Partial<MachineSpec> = {}) {
    const spec: MachineSpec = {
      name: 'checkpoint',
      disk: { path: join(folder, disk), format: 'qcow2' },
      throwAway: false,
      cpus: 1,
      memory: 512 << 20,
      firmware: 'bios',
      nic: 'virtio',
      controller: 'virtio',
      readOnlyDisks: [],
      login: { user: 'root', key: await buildKey(folder), credential: true },
      evidence: join(folder, 'evidence'),
      accel: 'auto',
      ...more,
    }
    return qemu({ network: () => network, log, workDirectory: folder }).boot(spec, signal)
  }
  const open = () => privateNetwork({ serve: serveEcho, log })

  test('the machine goes on, and what it writes then is in the next file', async () => {
    await using network = await open()
    await using machine = await boot(network, 'first')
    const guest = await machine.guest(signal)
    await guest.run('echo before > /root/before; echo here > /run/here; sync')
    saved = (await machine.checkpoint(join(folder, 'next'), join(folder, 'memory')))!
    const frozen = await stat(join(folder, 'first'))
    await guest.run('echo after > /root/after; sync')
    expect((await stat(join(folder, 'first'))).mtimeMs).toBe(frozen.mtimeMs)
    expect((await stat(join(folder, 'memory'))).mode & 0o777).toBe(0o600)
    expect(saved.address).toMatch(/^10\.77\./)
  })

  test('another machine goes on from there: with what was on the disk and in memory, and nothing later', async () => {
    await overlay('again', join(folder, 'first'))
    await using network = await open()
    await using machine = await boot(network, 'again', { resume: saved })
    const guest = await machine.guest(signal, 60_000)
    const { stdout } = await guest.run('cat /root/before /run/here; ls /root; cut -d. -f1 /proc/uptime')
    const lines = stdout.trim().split('\n')
    expect(lines.slice(0, 3)).toEqual(['before', 'here', 'before'])
    expect(Number(lines[3])).toBeGreaterThan(5) // it has not been started again
    expect(await machine.shutdown(signal)).toBe(true)
  })

  test('a machine of another size is refused, and QEMU with it', async () => {
    await overlay('other', join(folder, 'first'))
    await using network = await open()
    await expect(boot(network, 'other', { resume: saved, memory: 256 << 20 })).rejects.toMatchObject({
      code: 'no-answer',
    })
  })
}
