import { readFile, rm } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { Console, TextScreen } from '../../console/console.ts'
import type { Chord } from '../../console/keys.ts'
import type { Qmp } from './qmp.ts'
import { readTextScreen, TEXT_MEMORY } from './screen.ts'

/** The longest a guest may leave a key where it is: a machine that takes no keys (it computes, or is gone) is not waited for. */
const TAKEN_WITHIN = 5000

/** The PC's keyboard and VGA adapter, by QEMU's monitor. */
export class QemuConsole implements Console {
  readonly #qmp: Qmp
  /** For the screen's memory. */
  readonly #scratch: string
  /** Who reads stops the machine, which then takes no keys, and lets it run on afterwards: one at a time. */
  #before: Promise<unknown> = Promise.resolve()

  /** @param scratch a path for a small temporary file */
  constructor(qmp: Qmp, scratch: string) {
    this.#qmp = qmp
    this.#scratch = scratch
  }

  /**
   * Down and up in one go, so that no guest takes a key for one that is held. The keyboard itself holds 16 bytes, two
   * chords or so, and drops the rest; so the guest is given time to take them.
   *
   * @see https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html input-send-event
   */
  async press(chord: Chord): Promise<void> {
    const event = (qcode: string, down: boolean) => ({
      type: 'key',
      data: { down, key: { type: 'qcode', data: qcode } },
    })
    const events = [
      ...chord.map((key) => event(key, true)),
      ...[...chord].reverse().map((key) => event(key, false)),
    ]
    await this.#alone(() => this.#qmp.execute('input-send-event', { events }))
    await this.#taken()
  }

  /** Waits until the guest has read all that the keyboard holds: the controller's output buffer stays empty. */
  async #taken(): Promise<void> {
    const deadline = performance.now() + TAKEN_WITHIN
    for (let empty = 0; empty < 3 && performance.now() < deadline; ) {
      const status = await this.#port('i /b 0x64')
      empty = status & 1 ? 0 : empty + 1
      await pause(2)
    }
  }

  /**
   * While the machine stands still: registers are read by index, and the guest may be about to use the same index,
   * which is put back.
   *
   * @see IBM VGA XGA Technical Reference, CRT controller registers 0C–0F (start address, cursor location), graphics
   *      controller register 06 bit 0 (graphics mode); QEMU docs/specs/standard-vga, VBE dispi index 4 (enable)
   */
  text(): Promise<TextScreen | undefined> {
    return this.#alone(() => this.#text())
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#before.then(work)
    this.#before = done.catch(() => {})
    return done
  }

  async #text(): Promise<TextScreen | undefined> {
    await this.#qmp.execute('stop')
    try {
      const [vbe] = await this.#indexed('h', 0x1ce, [4])
      const [mode] = await this.#indexed('b', 0x3ce, [6])
      if (vbe! & 1 || mode! & 1) return undefined
      const [start, cursor] = pairs(await this.#indexed('b', 0x3d4, [0x0c, 0x0d, 0x0e, 0x0f]))
      const { address, bytes } = TEXT_MEMORY
      await this.#qmp.execute('pmemsave', { val: address, size: bytes, filename: this.#scratch })
      return readTextScreen(await readFile(this.#scratch), start!, cursor!)
    } finally {
      await this.#qmp.execute('cont')
      await rm(this.#scratch, { force: true })
    }
  }

  /** Writes PNG from QEMU 7.1 on. */
  async screenshot(path: string): Promise<void> {
    await this.#qmp.execute('screendump', { filename: path, format: 'png' })
  }

  /** Registers behind an index port and the data port after it. */
  async #indexed(width: 'b' | 'h', port: number, indices: readonly number[]): Promise<number[]> {
    const data = port + 1
    const before = await this.#port(`i /${width} ${port}`)
    const values: number[] = []
    for (const index of indices) {
      await this.#qmp.human(`o /${width} ${port} ${index}`)
      values.push(await this.#port(`i /${width} ${data}`))
    }
    await this.#qmp.human(`o /${width} ${port} ${before}`)
    return values
  }

  /** `portb[0x0064] = 0x1c` → 0x1c. */
  async #port(command: string): Promise<number> {
    const said = await this.#qmp.human(command)
    return Number(/= (0x[0-9a-f]+)/i.exec(said)?.[1] ?? 0)
  }
}

/** High and low bytes → numbers. */
function pairs(bytes: readonly number[]): number[] {
  return bytes.flatMap((high, at) => (at % 2 === 0 ? [high * 256 + bytes[at + 1]!] : []))
}
