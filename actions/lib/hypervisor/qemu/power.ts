import { setTimeout as pause } from 'node:timers/promises'
import type { Cable, Power } from '../hypervisor.ts'
import type { Qmp } from './qmp.ts'

/** How a machine's connections are ended, and its guest asked. */
interface Ways {
  hangUp(): Promise<void>
  /** false: it could not be asked. */
  ask(signal: AbortSignal): Promise<boolean>
}

/**
 * The switch of a QEMU that stays when the machine is off: with `shutdown=pause` a guest that has powered off leaves
 * it standing, its snapshots with it.
 *
 * @see https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html set-action, system_reset
 */
export class QemuPower implements Power {
  readonly #qmp: Qmp
  readonly #ways: Ways

  constructor(qmp: Qmp, ways: Ways) {
    this.#qmp = qmp
    this.#ways = ways
  }

  async off(signal: AbortSignal, patience = 180_000): Promise<boolean> {
    await this.#qmp.execute('set-action', { shutdown: 'pause' })
    const deadline = performance.now() + patience
    // Node 20 may lose a timeout that only AbortSignal.any() holds (nodejs/node#57736).
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), patience / 2)
    const asked = await this.#ways.ask(AbortSignal.any([signal, late.signal]))
    clearTimeout(timer)
    if (!asked) await this.#qmp.execute('system_powerdown')
    while ((await this.#status()) !== 'shutdown') {
      signal.throwIfAborted()
      if (performance.now() > deadline) {
        await this.#qmp.execute('set-action', { shutdown: 'poweroff' })
        return false
      }
      await pause(100)
    }
    await this.#ways.hangUp()
    return true
  }

  async cut(): Promise<void> {
    await this.#qmp.execute('stop')
    await this.#ways.hangUp()
  }

  async on(): Promise<void> {
    await this.#reset()
    await this.runs()
  }

  /** After a shutdown QEMU lets nothing run, loaded or not, before a reset. */
  async readyToLoad(): Promise<void> {
    if ((await this.#status()) === 'shutdown') await this.#reset()
  }

  /** Goes on, if it does not. */
  async runs(): Promise<void> {
    await this.#qmp.execute('set-action', { shutdown: 'poweroff' })
    await this.#qmp.execute('cont')
  }

  async #reset(): Promise<void> {
    const before = await this.#status()
    await this.#qmp.execute('system_reset')
    // It is only asked for; done by its main loop, which leaves a machine that was not running in prelaunch.
    while (before === 'shutdown' && (await this.#status()) === 'shutdown') await pause(5)
  }

  async #status(): Promise<string> {
    return (await this.#qmp.execute<{ status: string }>('query-status')).status
  }
}

/** Bytes that are recorded of each packet. */
const RECORDED = 512

/** The cable of the first card. */
export class QemuCable implements Cable {
  readonly #qmp: Qmp
  #unplugged = false
  #delayed = false
  #recorded = false

  constructor(qmp: Qmp) {
    this.#qmp = qmp
  }

  async plug(connected: boolean): Promise<void> {
    await this.#qmp.execute('set_link', { name: 'net0', up: connected })
    this.#unplugged = !connected
  }

  /** @see https://www.qemu.org/docs/master/system/invocation.html filter-buffer: interval in microseconds */
  async delay(ms: number): Promise<void> {
    if (this.#delayed) await this.#qmp.execute('object-del', { id: 'delay0' })
    this.#delayed = ms > 0
    if (ms <= 0) return
    const filter = {
      'qom-type': 'filter-buffer',
      id: 'delay0',
      netdev: 'net0',
      queue: 'all',
      interval: ms * 1000,
    }
    await this.#qmp.execute('object-add', filter)
  }

  async record(path: string | undefined): Promise<void> {
    if (this.#recorded) await this.#qmp.execute('object-del', { id: 'record0' })
    this.#recorded = path !== undefined
    if (path === undefined) return
    const filter = { 'qom-type': 'filter-dump', id: 'record0', netdev: 'net0', file: path, maxlen: RECORDED }
    await this.#qmp.execute('object-add', filter)
  }

  /** Plugged in and quick again. */
  async mend(): Promise<void> {
    if (this.#unplugged) await this.plug(true)
    await this.delay(0)
  }
}
