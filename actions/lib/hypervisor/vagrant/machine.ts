import { join } from 'node:path'
import { ApplianceError, CommandFailed } from '../../errors/error.ts'
import { BootedMachine, type Running } from '../booted.ts'
import type { Endpoint } from '../hypervisor.ts'
import { QemuConsole } from '../qemu/console.ts'
import { lastWords, type Vagrant } from './command.ts'
import type { Monitor } from './monitor.ts'

export interface Parts extends Running {
  monitor: Monitor
  vagrant: Vagrant
  /** Resolves when `vagrant up` has ended, with what it complained of. */
  up: Promise<string | undefined>
}

/** One Vagrant machine. Its keyboard and screen are QEMU's: the provider has no words for them. */
export class VagrantMachine extends BootedMachine {
  readonly #parts: Parts
  readonly console: QemuConsole

  constructor(parts: Parts) {
    super(parts)
    this.#parts = parts
    this.console = new QemuConsole(parts.monitor, join(parts.sockets, 'screen'))
  }

  reach(port: number): Promise<Endpoint> {
    return this.#parts.plug.reach(port)
  }

  async snapshot(name: string): Promise<void> {
    const { spec } = this.#parts
    if (!spec.throwAway)
      throw new ApplianceError('internal', `${spec.name}: a snapshot would stay in a disk that is kept`)
    await this.#vagrant('remembered', ['snapshot', 'save', '--force', name])
  }

  /** `push` and `pop` would know one snapshot only, the last. */
  protected async load(name: string): Promise<void> {
    await this.#parts.monitor.across(() =>
      this.#vagrant('rolled back', ['snapshot', 'restore', '--no-provision', name]),
    )
  }

  async #vagrant(what: string, args: readonly string[]): Promise<void> {
    const { spec, up, vagrant } = this.#parts
    const cannot = (why: string) =>
      new ApplianceError('command-failed', `${spec.name}: the running machine cannot be ${what}: ${why}`)
    // One vagrant at a time.
    const complaint = await up
    if (complaint) throw cannot(`vagrant up failed: ${complaint}`)
    try {
      await vagrant(args)
    } catch (error) {
      throw error instanceof CommandFailed ? cannot(lastWords(error.stderrTail)) : error
    }
  }

  async checkpoint(): Promise<undefined> {
    throw new ApplianceError('input', 'Vagrant cannot keep a running machine for another run', {
      hint: 'Use the driver qemu for it.',
    })
  }

  protected async pressPowerButton(): Promise<void> {
    await this.#parts.monitor.execute('system_powerdown').catch(() => {})
  }
}
