import { stat } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { Console } from '../../console/console.ts'
import { endOfFile } from '../../files/end.ts'
import type { MachineSpec } from '../hypervisor.ts'
import { CARD_PLACE, nicDevices } from './arguments.ts'
import type { Qmp } from './qmp.ts'

/** How long a machine may take until it asks somebody to log in, if it ever does (ms). */
const PROMPT_WITHIN = 300_000
/**
 * How long it is left alone afterwards (ms): what waits for a network gives up after two minutes at the latest
 * (systemd-networkd-wait-online(8), --timeout), and only then is it known how it boots without.
 */
const LEFT_ALONE = 150_000
/** Bytes of the serial console's end in which a prompt is looked for. */
const LOOKED_AT = 4096
/** The guest's time for letting a card go (ms). */
const LET_GO_WITHIN = 30_000
/** How long a guest may take from being told to restart until it does (ms). */
const RESTARTED_WITHIN = 180_000

interface Parts {
  qmp: Qmp
  spec: Pick<MachineSpec, 'nic' | 'firmware'>
  mac: string
  /** The serial console's file. */
  serial: string
  /** Bytes of it that are not there any more. */
  unlogged?: () => number
}

/**
 * The network card of a machine that boots without any: put in once the machine has booted by itself, and only for as
 * long as it takes to get in.
 *
 * @see https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html device_add, device_del, DEVICE_DELETED
 */
export class LateCard {
  readonly #parts: Parts
  readonly #console: Console
  #booted = false
  /** Bytes of the serial console that are of an earlier boot. */
  #before: Promise<number> = Promise.resolve(0)
  #letGo = () => {}
  /** Resolves when the guest has restarted, which it was told to. */
  #restart: Promise<void> | undefined
  #restarted = () => {}

  constructor(parts: Parts, console: Console) {
    this.#parts = parts
    this.#console = console
    parts.qmp.on(({ event, data }) => {
      if (event === 'RESET') {
        this.isOff()
        this.#restarted()
      }
      if (event === 'DEVICE_DELETED' && data?.device === 'late0') this.#letGo()
    })
  }

  /** It has booted and has been left alone, as a rollback finds it. */
  hasBooted(): void {
    this.#booted = true
    this.#restarted()
  }

  /** It is off, or was reset: it boots next, and again without a card. */
  isOff(): void {
    this.#booted = false
    this.#before = this.#said()
  }

  /** It was told to restart. What is put in before it has, it would boot with. */
  restarts(): void {
    this.#restart = new Promise((resolve) => {
      this.#restarted = resolve
    })
  }

  /** @param deadline of `performance.now()` */
  async plugIn(deadline: number, signal: AbortSignal): Promise<void> {
    const { qmp, spec, mac } = this.#parts
    // One that starts its next kernel by itself (kexec) is never reset, and asks to log in again.
    if (this.#restart && !(await inTime(this.#restart, RESTARTED_WITHIN, signal))) this.#booted = false
    this.#restart = undefined
    if (!this.#booted) await this.#booting(deadline, signal)
    this.#booted = true
    const place = spec.firmware === 'uefi' ? { bus: CARD_PLACE } : {}
    const card = { driver: nicDevices[spec.nic], id: 'late0', netdev: 'net0', mac, romfile: '' }
    await qmp.execute('device_add', { ...card, ...place })
  }

  /** Resolves when the guest has let it go; one that never does keeps a card without a cable. An abort waits for nothing. */
  async pullOut(signal: AbortSignal): Promise<void> {
    const { qmp } = this.#parts
    const gone = new Promise<void>((resolve) => {
      this.#letGo = resolve
    })
    try {
      await qmp.execute('device_del', { id: 'late0' })
      await inTime(gone, LET_GO_WITHIN, signal)
    } catch {
      // The machine is gone, or the card never was there.
    }
  }

  async #booting(deadline: number, signal: AbortSignal): Promise<void> {
    const began = performance.now()
    const end = Math.min(deadline, began + PROMPT_WITHIN)
    while (performance.now() < end && !(await this.#asksToLogIn())) await pause(1000, undefined, { signal })
    const rest = Math.min(LEFT_ALONE, Math.max(0, deadline - performance.now() - 60_000))
    await pause(rest, undefined, { signal })
  }

  /** Bytes of the serial console, those that are in no log any more too. */
  async #said(): Promise<number> {
    const { serial, unlogged } = this.#parts
    const { size } = await stat(serial).catch(() => ({ size: 0 }))
    return size + (unlogged?.() ?? 0)
  }

  async #asksToLogIn(): Promise<boolean> {
    const asks = /\blogin: *$/m
    const news = Math.min(LOOKED_AT, (await this.#said()) - (await this.#before))
    if (news > 0 && asks.test((await endOfFile(this.#parts.serial, news)).toString('latin1'))) return true
    const screen = await this.#console.text().catch(() => undefined)
    return screen?.rows.some((row) => asks.test(row.trimEnd())) ?? false
  }
}

/** Whether something happens within so many ms. */
async function inTime(happening: Promise<void>, limit: number, signal: AbortSignal): Promise<boolean> {
  const late = new AbortController()
  const end = AbortSignal.any([signal, late.signal])
  try {
    return await Promise.race([
      happening.then(() => true),
      pause(limit, undefined, { signal: end }).then(() => false),
    ])
  } finally {
    late.abort()
  }
}
