import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Console } from '../console/console.ts'
import { ApplianceError } from '../errors/error.ts'
import { endOfFile } from '../files/end.ts'
import type { Guest } from '../guest/guest.ts'
import { openGuest } from '../guest/ssh.ts'
import type { Plug } from '../network/network.ts'
import { formatDuration } from '../units/duration.ts'
import type { Endpoint, Machine, MachineSpec, SavedMachine } from './hypervisor.ts'

const MINUTE = 60_000
/** Bytes of a serial console's end in which its last words are. */
const LOOKED_AT = 1 << 16

/** What is said of a machine whose process has ended well. */
export const POWERED_OFF = 'it powered off'

/** What every driver's running machine has. */
export interface Running {
  spec: MachineSpec
  plug: Plug
  /** Where the serial console is written. */
  serial: string
  /** Bytes of it that are not there any more. */
  unlogged?: () => number
  /** The machine's folder for sockets. */
  sockets: string
  /** Resolves, or rejects, when the hypervisor's process has ended; with its exit status. */
  ended: Promise<number>
  /** What that process said in vain. */
  said(): string
  /** Ends it and removes what was temporary. */
  close: () => Promise<void>
}

/** A machine that runs: what is the same for every hypervisor, since it goes by SSH. */
export abstract class BootedMachine implements Machine {
  abstract readonly console: Console
  /** Aborted when the hypervisor's process has ended. */
  protected readonly gone = new AbortController()
  readonly #running: Running
  readonly #ended: Promise<void>
  /** Connections of a machine that has ended by itself. */
  #goodbye: Promise<void> | undefined
  readonly #guests = new Set<Guest>()
  /** A connection nobody has asked for yet, and how to give it up. */
  #spare: { guest: Promise<Guest>; giveUp: AbortController } | undefined
  /** Aborted when the machine is no longer the one that was to be connected to. */
  #connecting = new AbortController()
  /** Whether the guest ever answered. */
  #reached = false
  readonly #pictures: string[] = []

  constructor(running: Running) {
    this.#running = running
    const over = () => {
      this.gone.abort()
      // It said goodbye to nobody; without this, a command in it would be waited for for a minute.
      this.#goodbye = this.hangUp().catch(() => {})
    }
    this.#ended = running.ended.then(over, over)
  }

  abstract reach(port: number): Promise<Endpoint>
  abstract snapshot(name: string): Promise<void>
  abstract checkpoint(next: string, memory?: string): Promise<SavedMachine | undefined>
  /** Brings back a snapshot, running; connections have been hung up. */
  protected abstract load(name: string): Promise<void>
  protected abstract pressPowerButton(): Promise<void>

  async guest(signal: AbortSignal, patience = 10 * MINUTE): Promise<Guest> {
    if (this.#spare) {
      const { guest, giveUp } = this.#spare
      this.#spare = undefined
      try {
        return await unlessAborted(signal, giveUp, () => guest)
      } catch (error) {
        // Given up by the machine, which is gone or went on otherwise: another connection tells.
        if (signal.aborted || !giveUp.signal.aborted) throw error
      }
    }
    try {
      return this.#adopt(await this.connect(signal, patience))
    } catch (error) {
      signal.throwIfAborted()
      if (this.gone.signal.aborted) throw await this.#died()
      if (error instanceof ApplianceError && error.code === 'no-answer')
        throw await this.#silent(error, patience)
      throw error
    }
  }

  /** A new connection; whoever asks for it keeps account of it. */
  protected async connect(signal: AbortSignal, patience: number): Promise<Guest> {
    const deadline = performance.now() + patience
    const both = AbortSignal.any([signal, this.gone.signal])
    const { login } = this.#running.spec
    for (;;) {
      await this.#addressBy(deadline, both)
      const { host, port } = await this.reach(login.port ?? 22)
      const target = { host, port, login, directory: this.#running.sockets }
      // An installer and the system it has installed may be given different addresses.
      const soon = Math.min(deadline, performance.now() + MINUTE / 2)
      try {
        return await openGuest(target, soon, both)
      } catch (error) {
        const silent = error instanceof ApplianceError && error.code === 'no-answer'
        if (!silent || performance.now() >= deadline) throw error
      }
    }
  }

  #adopt(guest: Guest): Guest {
    this.#guests.add(guest)
    this.#reached = true
    return guest
  }

  address(signal: AbortSignal): Promise<string> {
    return this.#addressBy(performance.now() + 10 * MINUTE, AbortSignal.any([signal, this.gone.signal]))
  }

  async #addressBy(deadline: number, signal: AbortSignal): Promise<string> {
    for (;;) {
      signal.throwIfAborted()
      const address = await this.#running.plug.address()
      if (address !== undefined) return address
      if (performance.now() > deadline)
        throw new ApplianceError('no-answer', 'it never asked for an address (DHCP)')
      await pause(150)
    }
  }

  async screenshot(path: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true })
    await this.console.screenshot(path)
  }

  async rollback(name: string, signal: AbortSignal): Promise<void> {
    await this.hangUp()
    await this.load(name)
    // What is read from the log of the network lies before: a machine that was reached once can be reached again.
    if (!this.#reached) return
    const giveUp = this.#connecting
    const connecting = this.guest(giveUp.signal, 2 * MINUTE)
    connecting.catch(() => {}) // told to whoever asks for it
    // The connection may outlive the scenario that rolled back: the next one takes it as it is.
    await unlessAborted(signal, giveUp, async () => {
      if (await this.setClock(signal)) return
      const guest = await connecting
      const as = this.#running.spec.login.user === 'root' ? {} : { as: 'root' }
      await guest.run(settingClock(), { ...as, signal, title: 'setting the clock' })
    })
    this.#spare = { guest: connecting, giveUp }
  }

  /** Sets the guest's clock before anyone can log in; false: that cannot be done here. */
  protected async setClock(_signal: AbortSignal): Promise<boolean> {
    return false
  }

  async shutdown(signal: AbortSignal, patience = 3 * MINUTE, ask?: () => Promise<void>): Promise<boolean> {
    const { spec } = this.#running
    const deadline = performance.now() + patience
    const asked = ask ? await ask().then(() => true) : await this.askToPowerOff(signal)
    if (!asked) await this.pressPowerButton()
    else if (ask && !(await this.#off(deadline - patience / 2, signal))) await this.pressPowerButton()
    const inTime = await this.#off(deadline, signal)
    if (!inTime) await this.screenshot(this.#picture(`${spec.name}-not-shut-down.png`)).catch(() => {})
    await this[Symbol.asyncDispose]()
    return inTime
  }

  /** Whether the machine is off by a deadline (of `performance.now()`). */
  #off(deadline: number, signal: AbortSignal): Promise<boolean> {
    return new Promise<boolean>((resolve, reject) => {
      const timer = setTimeout(() => resolve(false), Math.max(0, deadline - performance.now()))
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      this.#ended.then(() => {
        clearTimeout(timer)
        resolve(true)
      })
    })
  }

  /** By SSH, which every system obeys; the power button needs something that listens for it. */
  protected async askToPowerOff(signal: AbortSignal): Promise<boolean> {
    const as = this.#running.spec.login.user === 'root' ? {} : { as: 'root' }
    const last = [...this.#guests].at(-1)
    // The last connection may have been closed by whoever had it.
    for (const connection of [async () => last, async () => this.#adopt(await this.connect(signal, 15_000))])
      try {
        const guest = await connection()
        if (!guest) continue
        const asked = guest.run('systemctl poweroff', { ...as, signal, timeout: MINUTE })
        asked.catch(() => {})
        await Promise.race([asked, this.#ended])
        return true
      } catch {
        signal.throwIfAborted()
        if (this.gone.signal.aborted) return true
      }
    return false
  }

  get unlogged(): number {
    return this.#running.unlogged?.() ?? 0
  }

  get evidence(): string[] {
    return [this.#running.serial, ...this.#pictures].filter((path) => existsSync(path))
  }

  #picture(name: string): string {
    const path = join(this.#running.spec.evidence, name)
    this.#pictures.push(path)
    return path
  }

  async #died(): Promise<ApplianceError> {
    const { spec, ended } = this.#running
    const said = this.#running.said().trim()
    if (said) await writeFile(this.#picture(`${spec.name}-hypervisor.log`), `${said}\n`)
    const status = await ended.catch(() => '?')
    const why = status === 0 ? POWERED_OFF : said ? said.split('\n').at(-1) : `its process ended (${status})`
    return new ApplianceError('no-answer', `${spec.name}: the machine is gone: ${why}`, {
      evidence: this.evidence,
    })
  }

  /** What is known about a machine that does not answer. */
  async #silent(cause: ApplianceError, patience: number): Promise<ApplianceError> {
    const { spec, serial } = this.#running
    await this.screenshot(this.#picture(`${spec.name}-last-screen.png`)).catch(() => {})
    const screen = await this.console.text().catch(() => undefined)
    const console = await endOfFile(serial, LOOKED_AT).then(String, () => '')
    const words = wordsOf(screen?.rows.join('\n') ?? '') || wordsOf(console)
    const says = words ? `; its screen ends: ${words}` : ''
    return new ApplianceError(
      'no-answer',
      `${spec.name}: no answer within ${formatDuration(patience)}: ${cause.message}${says}`,
      {
        hint: 'The last screen and the serial console show how far it came.',
        evidence: this.evidence,
        cause,
      },
    )
  }

  /** Every connection is gone, or about to be. */
  protected async hangUp(): Promise<void> {
    this.#connecting.abort()
    this.#connecting = new AbortController()
    await this.#spare?.guest.catch(() => {})
    this.#spare = undefined
    const guests = [...this.#guests]
    this.#guests.clear()
    await Promise.all(guests.map((guest) => guest[Symbol.asyncDispose]()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hangUp()
    await this.#running.close()
    await this.#ended
    await this.#goodbye
  }
}

/** Does something that goes on by itself; `giveUp` is aborted if `signal` is before it is done. */
async function unlessAborted<T>(
  signal: AbortSignal,
  giveUp: AbortController,
  work: () => Promise<T>,
): Promise<T> {
  const stop = () => giveUp.abort(signal.reason)
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await work()
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** A command for root in the guest that gives it our time. */
export function settingClock(): string {
  return `date -u -s @${(Date.now() / 1000).toFixed(2)}`
}

function wordsOf(text: string): string {
  const plain = text.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]/g, '').split(/\r?\n/)
  const said = plain.map((line) => line.trim()).filter(Boolean)
  return said.slice(-3).join(' | ').slice(-300)
}
