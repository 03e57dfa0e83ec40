import { join } from 'node:path'
import { ApplianceError } from '../../errors/error.ts'
import type { Guest } from '../../guest/guest.ts'
import { doneOnLine, guestOnLine } from '../../guest/line.ts'
import { freePort } from '../../network/free-port.ts'
import type { RunningCommand } from '../../process/command.ts'
import { BootedMachine, type Running, settingClock } from '../booted.ts'
import type { Endpoint, SavedMachine } from '../hypervisor.ts'
import { QemuConsole } from './console.ts'
import { LateCard } from './late-card.ts'
import { saveMemory } from './memory.ts'
import { QemuCable, QemuPower } from './power.ts'
import type { Qmp } from './qmp.ts'

/** What a running QEMU consists of. */
export interface Parts extends Omit<Running, 'ended' | 'said'> {
  mac: string
  process: RunningCommand
  qmp: Qmp
  network: 'private' | 'user'
  /** The socket of the second serial port. */
  line?: string
}

/** One QEMU. */
export class QemuMachine extends BootedMachine {
  readonly #parts: Parts
  readonly #forwards = new Map<number, number>()
  readonly console: QemuConsole
  readonly power: QemuPower
  readonly cable: QemuCable
  /** Whether a shell listens on the serial line, and the snapshots in which one does. */
  #listens = false
  readonly #listening = new Set<string>()
  /** Of a machine that has no card. */
  readonly #late: LateCard | undefined

  constructor(parts: Parts) {
    super({ ...parts, ended: parts.process.ended, said: () => parts.process.stderrTail() })
    this.#parts = parts
    this.console = new QemuConsole(parts.qmp, join(parts.sockets, 'screen'))
    this.power = new QemuPower(parts.qmp, {
      hangUp: () => {
        this.#late?.isOff()
        return this.hangUp()
      },
      ask: (signal) => this.askToPowerOff(signal),
    })
    this.cable = new QemuCable(parts.qmp)
    if (parts.spec.nics === 0) this.#late = new LateCard(parts, this.console)
    // A guest that restarts says goodbye to nobody; without this, a command in it would be waited for for a minute.
    parts.qmp.on(({ event, data }) => {
      if (event === 'RESET') this.#listens = false
      if (event === 'RESET' && data?.guest === true) void this.hangUp()
    })
  }

  /** Into a machine without a network: through its serial line, which a card that is there for a moment opens. */
  protected override async connect(signal: AbortSignal, patience: number): Promise<Guest> {
    if (!this.#late) return await super.connect(signal, patience)
    const deadline = performance.now() + patience
    const ended = AbortSignal.any([signal, this.gone.signal])
    await this.#late.plugIn(deadline, ended)
    try {
      await using guest = await super.connect(signal, Math.max(0, deadline - performance.now()))
      return await this.line(guest, signal)
    } finally {
      await this.#late.pullOut(ended)
    }
  }

  restarts(): void {
    this.#late?.restarts()
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

  async snapshot(name: string): Promise<void> {
    const { spec, qmp } = this.#parts
    if (!spec.throwAway)
      throw new ApplianceError('internal', `${spec.name}: a snapshot would stay in a disk that is kept`)
    await this.#snapshotCommand(qmp, 'savevm', name)
    this.#listening.delete(name)
    if (this.#listens) this.#listening.add(name)
  }

  protected async load(name: string): Promise<void> {
    await this.power.readyToLoad()
    await this.#snapshotCommand(this.#parts.qmp, 'loadvm', name)
    await this.power.runs()
    await this.cable.mend()
    this.#late?.hasBooted()
    this.#listens = this.#listening.has(name)
  }

  /** By the shell on the serial line: it needs no connection, which takes an emulated machine a second to make. */
  protected override async setClock(signal: AbortSignal): Promise<boolean> {
    const { line } = this.#parts
    return this.#listens && line !== undefined && (await doneOnLine(line, settingClock(), signal))
  }

  async line(guest: Guest, signal: AbortSignal): Promise<Guest> {
    const { line, spec } = this.#parts
    if (line) {
      const listening = await guestOnLine(line, guest, signal)
      this.#listens = true
      return listening
    }
    throw new ApplianceError('internal', `${spec.name}: it has no second serial port`)
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

  protected async pressPowerButton(): Promise<void> {
    await this.#parts.qmp.execute('system_powerdown').catch(() => {})
  }
}
