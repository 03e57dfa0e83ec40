import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ApplianceError } from '../../errors/error.ts'
import type { Guest } from '../../guest/guest.ts'
import { openGuest } from '../../guest/ssh.ts'
import { freePort } from '../../network/free-port.ts'
import type { Plug } from '../../network/network.ts'
import type { RunningCommand } from '../../process/command.ts'
import { formatDuration } from '../../units/duration.ts'
import type { Endpoint, Machine, MachineSpec, SavedMachine } from '../hypervisor.ts'
import { QemuConsole } from './console.ts'
import { saveMemory } from './memory.ts'
import type { Qmp } from './qmp.ts'

const MINUTE = 60_000

/** What a running QEMU consists of. */
export interface Parts {
  spec: MachineSpec
  mac: string
  process: RunningCommand
  qmp: Qmp
  plug: Plug
  network: 'private' | 'user'
  /** Where the serial console is written. */
  serial: string
  /** The machine's folder for sockets. */
  sockets: string
  /** Ends QEMU and removes what was temporary. */
  close: () => Promise<void>
}

/** One QEMU. */
export class QemuMachine implements Machine {
  readonly #parts: Parts
  /** Aborted when QEMU has ended. */
  readonly #gone = new AbortController()
  readonly #ended: Promise<void>
  readonly #guests = new Set<Guest>()
  /** A connection nobody has asked for yet. */
  #spare: Guest | undefined
  readonly #forwards = new Map<number, number>()
  readonly #pictures: string[] = []
  readonly console: QemuConsole

  constructor(parts: Parts) {
    this.#parts = parts
    this.console = new QemuConsole(parts.qmp, join(parts.sockets, 'screen'))
    // A guest that restarts says goodbye to nobody; without this, a command in it would be waited for for a minute.
    parts.qmp.on(({ event, data }) => {
      if (event === 'RESET' && data?.guest === true) void this.#hangUp()
    })
    this.#ended = parts.process.ended.then(
      () => this.#gone.abort(),
      () => this.#gone.abort(),
    )
  }

  async guest(signal: AbortSignal, patience = 10 * MINUTE): Promise<Guest> {
    if (this.#spare) {
      const guest = this.#spare
      this.#spare = undefined
      return guest
    }
    try {
      return await this.#connect(signal, patience)
    } catch (error) {
      signal.throwIfAborted()
      if (this.#gone.signal.aborted) throw await this.#died()
      if (error instanceof ApplianceError && error.code === 'no-answer')
        throw await this.#silent(error, patience)
      throw error
    }
  }

  async #connect(signal: AbortSignal, patience: number): Promise<Guest> {
    const deadline = performance.now() + patience
    const both = AbortSignal.any([signal, this.#gone.signal])
    const { login } = this.#parts.spec
    for (;;) {
      await this.#addressBy(deadline, both)
      const { host, port } = await this.reach(login.port ?? 22)
      const target = { host, port, login, directory: this.#parts.sockets }
      // An installer and the system it has installed may be given different addresses.
      const soon = Math.min(deadline, performance.now() + MINUTE / 2)
      try {
        const guest = await openGuest(target, soon, both)
        this.#guests.add(guest)
        return guest
      } catch (error) {
        const silent = error instanceof ApplianceError && error.code === 'no-answer'
        if (!silent || performance.now() >= deadline) throw error
      }
    }
  }

  address(signal: AbortSignal): Promise<string> {
    return this.#addressBy(performance.now() + 10 * MINUTE, AbortSignal.any([signal, this.#gone.signal]))
  }

  async #addressBy(deadline: number, signal: AbortSignal): Promise<string> {
    for (;;) {
      signal.throwIfAborted()
      const address = await this.#parts.plug.address()
      if (address !== undefined) return address
      if (performance.now() > deadline)
        throw new ApplianceError('no-answer', 'it never asked for an address (DHCP)')
      await pause(150)
    }
  }

  async reach(port: number): Promise<Endpoint> {
    if (this.#parts.network === 'private' || port === 22) return this.#parts.plug.reach(port)
    let forward = this.#forwards.get(port)
    if (!forward) {
      forward = await freePort()
      const said = await this.#parts.qmp.human(`hostfwd_add net0 tcp:127.0.0.1:${forward}-:${port}`)
      if (said.trim())
        throw new ApplianceError('command-failed', `QEMU forwards no port ${port}: ${said.trim()}`)
      this.#forwards.set(port, forward)
    }
    return { host: '127.0.0.1', port: forward, connectionProves: false }
  }

  async screenshot(path: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true })
    await this.console.screenshot(path)
  }

  async snapshot(name: string): Promise<void> {
    const { spec, qmp } = this.#parts
    if (!spec.throwAway)
      throw new ApplianceError('internal', `${spec.name}: a snapshot would stay in a disk that is kept`)
    await this.#snapshotCommand(qmp, 'savevm', name)
  }

  async rollback(name: string, signal: AbortSignal): Promise<void> {
    const hadGuest = this.#guests.size > 0
    await this.#hangUp()
    await this.#snapshotCommand(this.#parts.qmp, 'loadvm', name)
    // What is read from the log of the network lies before: a machine that was reached once can be reached again.
    if (!hadGuest) return
    const guest = await this.guest(signal, 2 * MINUTE)
    const as = this.#parts.spec.login.user === 'root' ? {} : { as: 'root' }
    await guest.run(`date -u -s @${(Date.now() / 1000).toFixed(2)}`, {
      ...as,
      signal,
      title: 'setting the clock',
    })
    this.#spare = guest
  }

  async #snapshotCommand(qmp: Qmp, command: 'savevm' | 'loadvm', name: string): Promise<void> {
    if (!/^[A-Za-z][\w-]*$/.test(name))
      throw new ApplianceError('internal', `${name} is no name for a snapshot`)
    const said = (await qmp.human(`${command} ${name}`)).trim()
    if (said === '') return
    // A machine that could not be loaded was stopped for it.
    await qmp.execute('cont')
    const what = command === 'savevm' ? 'remembered' : 'rolled back'
    throw new ApplianceError(
      'command-failed',
      `${this.#parts.spec.name}: the running machine cannot be ${what}: ${said}`,
    )
  }

  async checkpoint(next: string, memory?: string): Promise<SavedMachine | undefined> {
    const { spec, qmp, plug, sockets, mac } = this.#parts
    if (spec.throwAway)
      throw new ApplianceError(
        'internal',
        `${spec.name}: its disk is thrown away, so there is nothing to keep`,
      )
    const address = await plug.address()
    await qmp.execute('stop')
    try {
      const to = { 'snapshot-file': next, format: 'qcow2', mode: 'existing' }
      await qmp.execute('blockdev-snapshot-sync', { device: 'disk0', ...to })
      if (memory === undefined || address === undefined) return undefined
      await saveMemory(qmp, memory, join(sockets, 'memory'))
      return { memory, address, mac }
    } finally {
      await qmp.execute('cont')
    }
  }

  async shutdown(signal: AbortSignal, patience = 3 * MINUTE, ask?: () => Promise<void>): Promise<boolean> {
    const { spec } = this.#parts
    const deadline = performance.now() + patience
    const asked = ask ? await ask().then(() => true) : await this.#askToPowerOff(signal)
    if (!asked) await this.#pressPowerButton()
    else if (ask && !(await this.#off(deadline - patience / 2, signal))) await this.#pressPowerButton()
    const inTime = await this.#off(deadline, signal)
    if (!inTime) await this.screenshot(this.#picture(`${spec.name}-not-shut-down.png`)).catch(() => {})
    await this[Symbol.asyncDispose]()
    return inTime
  }

  async #pressPowerButton(): Promise<void> {
    await this.#parts.qmp.execute('system_powerdown').catch(() => {})
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
  async #askToPowerOff(signal: AbortSignal): Promise<boolean> {
    const as = this.#parts.spec.login.user === 'root' ? {} : { as: 'root' }
    const last = [...this.#guests].at(-1)
    // The last connection may have been closed by whoever had it.
    for (const connection of [async () => last, () => this.#connect(signal, 15_000)])
      try {
        const guest = await connection()
        if (!guest) continue
        const asked = guest.run('systemctl poweroff', { ...as, signal, timeout: MINUTE })
        asked.catch(() => {})
        await Promise.race([asked, this.#ended])
        return true
      } catch {
        signal.throwIfAborted()
        if (this.#gone.signal.aborted) return true
      }
    return false
  }

  get evidence(): string[] {
    return [this.#parts.serial, ...this.#pictures].filter((path) => existsSync(path))
  }

  #picture(name: string): string {
    const path = join(this.#parts.spec.evidence, name)
    this.#pictures.push(path)
    return path
  }

  async #died(): Promise<ApplianceError> {
    const { spec, process } = this.#parts
    const said = process.stderrTail().trim()
    if (said) await writeFile(this.#picture(`${spec.name}-qemu.log`), `${said}\n`)
    const why = said
      ? said.split('\n').at(-1)
      : `it powered off, or QEMU ended (${await process.ended.catch(() => '?')})`
    return new ApplianceError('no-answer', `${spec.name}: the machine is gone: ${why}`, {
      evidence: this.evidence,
    })
  }

  /** What is known about a machine that does not answer. */
  async #silent(cause: ApplianceError, patience: number): Promise<ApplianceError> {
    const { spec, serial } = this.#parts
    await this.screenshot(this.#picture(`${spec.name}-last-screen.png`)).catch(() => {})
    const screen = await this.console.text().catch(() => undefined)
    const console = await readFile(serial, 'utf8').catch(() => '')
    const words = lastLines(screen?.rows.join('\n') ?? '') || lastLines(console)
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

  async #hangUp(): Promise<void> {
    this.#spare = undefined
    const guests = [...this.#guests]
    this.#guests.clear()
    await Promise.all(guests.map((guest) => guest[Symbol.asyncDispose]()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hangUp()
    await this.#parts.close()
    await this.#ended
  }
}

function lastLines(text: string): string {
  const plain = text.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]/g, '').split(/\r?\n/)
  const said = plain.map((line) => line.trim()).filter(Boolean)
  return said.slice(-3).join(' | ').slice(-300)
}
