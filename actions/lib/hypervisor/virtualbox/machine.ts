import { ApplianceError } from '../../errors/error.ts'
import { BootedMachine, type Running } from '../booted.ts'
import type { Endpoint } from '../hypervisor.ts'
import { restoring, taking } from './commands.ts'
import { type Manage, VirtualBoxConsole } from './console.ts'

export interface Parts extends Running {
  manage: Manage
  /** Starts the machine's process again, from what was restored. */
  restart: () => Promise<void>
}

/** One VirtualBox machine. */
export class VirtualBoxMachine extends BootedMachine {
  readonly #parts: Parts
  readonly console: VirtualBoxConsole

  constructor(parts: Parts) {
    super(parts)
    this.#parts = parts
    this.console = new VirtualBoxConsole(parts.spec.name, parts.manage)
  }

  reach(port: number): Promise<Endpoint> {
    return this.#parts.plug.reach(port)
  }

  async snapshot(name: string): Promise<void> {
    const { spec, manage } = this.#parts
    if (!spec.throwAway)
      throw new ApplianceError('internal', `${spec.name}: a snapshot would stay in a disk that is kept`)
    await manage(taking(spec.name, name))
  }

  protected async load(name: string): Promise<void> {
    const { spec, manage, restart } = this.#parts
    const snapshots = await manage(['snapshot', spec.name, 'list', '--machinereadable']).catch(() => '')
    if (!snapshots.includes(`="${name}"`))
      throw new ApplianceError(
        'command-failed',
        `${spec.name}: the running machine cannot be rolled back: there is no snapshot ${name}`,
      )
    for (const command of restoring(spec.name, name)) await manage(command)
    await restart()
  }

  async checkpoint(): Promise<undefined> {
    throw new ApplianceError('input', 'VirtualBox cannot keep a running machine for another run', {
      hint: 'Use the driver qemu for it.',
    })
  }

  protected async pressPowerButton(): Promise<void> {
    await this.#parts.manage(['controlvm', this.#parts.spec.name, 'acpipowerbutton']).catch(() => {})
  }
}
