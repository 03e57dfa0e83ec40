import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import type { KeyAction } from '../../actions/lib/console/console.ts'
import { startFilm } from '../../actions/lib/console/film.ts'
import { chordNamed, chordOf } from '../../actions/lib/console/keys.ts'
import { playKeys } from '../../actions/lib/console/play.ts'
import { waitForText } from '../../actions/lib/console/waiting.ts'
import type { Guest } from '../../actions/lib/guest/guest.ts'
import { buildKey } from '../../actions/lib/guest/key.ts'
import type { Machine } from '../../actions/lib/hypervisor/hypervisor.ts'
import { qemu } from '../../actions/lib/hypervisor/qemu/hypervisor.ts'
import type { MachineNetwork } from '../../actions/lib/network/network.ts'
import { privateNetwork } from '../../actions/lib/network/private.ts'
import { isInside, testsInside } from '../fixtures/inside.ts'
import { keptLog, serveEcho } from '../fixtures/machine-room.ts'
import { cannotMakeSmallDisk, smallDisk } from '../fixtures/small-disk.ts'

jest.setTimeout(process.env.APPLIANCE_TESTS === 'full' ? 3_600_000 : 300_000)
const why = await cannotMakeSmallDisk()
if (why) test.skip(`qemu: skipped, because ${why}`, () => {})
else if (!isInside()) {
  await smallDisk() // inside, there is nothing to make it from
  await testsInside(import.meta.url)
} else consoles()

/** A machine's own keyboard and screen, with a person's patience. */
function consoles(): void {
  const signal = new AbortController().signal
  const log = keptLog()
  let folder: string
  let network: MachineNetwork
  let machine: Machine
  let guest: Guest
  const watching = () => ({ log, signal, evidence: folder })

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'console-'))
    network = await privateNetwork({ serve: serveEcho, log })
    machine = await qemu({ network: () => network, log, workDirectory: folder }).boot(
      {
        name: 'console',
        disk: { path: await smallDisk(), format: 'qcow2' },
        throwAway: true,
        cpus: 1,
        memory: 512 << 20,
        firmware: 'bios',
        nic: 'virtio',
        controller: 'virtio',
        readOnlyDisks: [],
        login: { user: 'root', key: await buildKey(folder), credential: true },
        evidence: join(folder, 'evidence'),
        accel: 'auto',
      },
      signal,
    )
    guest = await machine.guest(signal)
    await guest.run('systemctl mask --now -q getty@tty1.service serial-getty@ttyS0.service; dmesg -n 1')
  })
  afterAll(async () => {
    await machine?.[Symbol.asyncDispose]()
    await network?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  /** A program of the guest's on its screen and keyboard, instead of the one before. */
  const onScreen = async (program: string) => {
    await guest.run('kill -- -$(cat /run/program)', { allowFailure: true })
    const alone = `echo $$ >/run/program; exec </dev/tty1 >/dev/tty1 2>&1; stty sane; printf '\\033[2J\\033[H'; ${program}`
    await guest.run('setsid sh -c "$PROGRAM" >/dev/null 2>&1 </dev/null &', { env: { PROGRAM: alone } })
  }
  const typed = (text: string): KeyAction[] =>
    [...text].map((character) =>
      character === '\n'
        ? { kind: 'press', chord: chordNamed('enter')!, shown: '<Enter>' }
        : { kind: 'press', chord: chordOf(character)!, shown: character },
    )

  test('the screen is read as it is: text, and where the cursor is', async () => {
    await onScreen('printf "\\033[5;1Hready: "; cat >/dev/null')
    await waitForText(machine.console, 'ready:', 30, watching())
    const screen = (await machine.console.text())!
    expect(screen.rows).toHaveLength(25)
    expect(screen.rows[4]!.trimEnd()).toBe('ready:')
    expect(screen.cursor).toEqual({ row: 4, column: 7 })
  })

  test('every key there is arrives as the character it is', async () => {
    const all = Array.from({ length: 95 }, (_, n) => String.fromCharCode(32 + n)).join('')
    await onScreen('head -n 2 > /run/all')
    await playKeys(machine.console, typed(`${all.slice(0, 60)}\n${all.slice(60)}\n`), watching())
    const { stdout } = await guest.run('sleep 1; cat /run/all')
    expect(stdout).toBe(`${all.slice(0, 60)}\n${all.slice(60)}\n`)
  })

  const keys = process.env.APPLIANCE_TESTS === 'full' ? 10_000 : 1000
  test(`a busy guest gets ${keys} keys, none lost, none twice`, async () => {
    // Each with nothing of the connection's: it would be held open.
    const loop = "setsid sh -c 'echo $$ >>/run/busy; while :; do :; done' >/dev/null 2>&1 </dev/null &"
    await guest.run(`${loop}\n`.repeat(4))
    const words = Array.from(
      { length: Math.ceil(keys / 71) },
      (_, n) => `${n} ${'abcdefghijklmnopqrstuvwxyz'.repeat(3)}`,
    )
    const text = `${words.map((word) => word.slice(0, 71)).join('\n')}\n`
    await onScreen(`head -n ${words.length} > /run/typed`)
    await playKeys(machine.console, typed(text), watching())
    await guest.run('kill $(cat /run/busy); sleep 1')
    const { stdout } = await guest.run('cat /run/typed')
    expect(text.length).toBeGreaterThan(keys)
    expect(stdout).toBe(text)
  })

  test('where nothing is echoed, keys arrive all the same', async () => {
    await onScreen('printf "Password: "; stty -echo; head -n 1 > /run/secret; stty echo')
    await waitForText(machine.console, 'Password:', 30, watching())
    await playKeys(machine.console, typed('not to be seen 0123456789\n'), watching())
    expect((await guest.run('sleep 1; cat /run/secret')).stdout).toBe('not to be seen 0123456789\n')
  })

  test('a text that does not come is an error that says what is there, with a picture', async () => {
    await onScreen('echo "No bootable device."; sleep 60')
    await waitForText(machine.console, 'bootable', 30, watching())
    await expect(waitForText(machine.console, 'login:', 1, watching())).rejects.toMatchObject({
      code: 'timeout',
      message: '"login:" did not appear on the screen within 1.0 s; it ends: No bootable device.',
      evidence: [join(folder, 'awaited.png')],
    })
    expect((await readFile(join(folder, 'awaited.png'))).subarray(1, 4).toString()).toBe('PNG')
  })

  test('a film has a picture for each screen, and a list of them', async () => {
    const pictures = join(folder, 'film')
    {
      await using film = await startFilm(machine.console, pictures)
      await onScreen('echo one; sleep 4; clear; echo two; sleep 60')
      await waitForText(machine.console, 'two', 30, watching())
      await film.look()
      expect(film.last).toMatch(/\/\d{4}\.\ds\.png$/)
    }
    const list = await readFile(join(pictures, 'film.md'), 'utf8')
    expect(list).toMatch(/ \| one \|\n.* \| two \|\n$/)
    const files = (await readdir(pictures)).filter((name) => name.endsWith('.png'))
    expect(files.length).toBe(list.split('\n').filter((line) => line.includes('.png')).length)
  })
}
