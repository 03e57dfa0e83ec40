import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ApplianceError } from '../../errors/error.ts'
import { exists } from '../../files/exists.ts'
import { freePort } from '../../network/free-port.ts'
import { type RunningCommand, run, start } from '../../process/command.ts'
import { Cleanup } from '../cleanup.ts'
import type { Hypervisor, Machine, MachineSpec, Problem } from '../hypervisor.ts'
import type { MachineRoom } from '../machine-room.ts'
import { missingPrograms } from '../programs.ts'
import { serialLog } from '../serial-log.ts'
import { cannotBeMade, creating, type Hardware, tapOf, tunnelArguments } from './commands.ts'
import type { Manage } from './console.ts'
import { VirtualBoxMachine } from './machine.ts'

/** The driver for VirtualBox, by VBoxManage and VBoxHeadless. */
export function virtualbox(room: MachineRoom): Hypervisor {
  return { name: 'virtualbox', can: ['console'], preflight, boot: (spec, signal) => boot(room, spec, signal) }
}

async function preflight(): Promise<Problem[]> {
  const problems = await missingPrograms({
    VBoxManage: ['--version', 'install VirtualBox: https://www.virtualbox.org/wiki/Linux_Downloads'],
    socat: ['-V', 'apt-get install socat'],
    'qemu-img': ['--version', 'apt-get install qemu-utils'],
  })
  if (!(await exists('/dev/vboxdrv')))
    problems.push({
      what: 'VirtualBox’s kernel module is not loaded: there is no /dev/vboxdrv',
      remedy: '/sbin/vboxconfig, on a computer with hardware virtualization',
    })
  return problems
}

/**
 * A VirtualBox of its own, with its settings in a folder that goes with the machine: nothing of it is seen in the
 * user's VirtualBox. Its frames go through a tunnel to the tap device that QEMU would have.
 */
async function boot(room: MachineRoom, spec: MachineSpec, signal: AbortSignal): Promise<Machine> {
  const unable = cannotBeMade(spec)
  if (unable)
    throw new ApplianceError('input', `${spec.name}: ${unable}`, { hint: 'Or use the driver qemu.' })
  const cleanup = new Cleanup()
  try {
    await mkdir(spec.evidence, { recursive: true })
    const sockets = await cleanup.folder(join(tmpdir(), 'appliance-vm-'))
    const folder = await cleanup.folder(
      join(room.workDirectory ?? process.env.RUNNER_TEMP ?? '/var/tmp', 'virtualbox-'),
    )
    const env = { VBOX_USER_HOME: join(folder, 'settings'), VBOX_IPC_SOCKETID: `appliance-${process.pid}` }
    const manage: Manage = async (args) => (await run('VBoxManage', args, { env, signal })).stdout
    const disks = await disksFor(spec, folder, signal)
    const mac = cleanup.claimMac(spec.mac)
    const plug = cleanup.use(await room.network().plug({ name: spec.name, mac, ports: [22] }))
    const tap = tapOf(plug.netdev)
    if (tap === undefined)
      throw new ApplianceError('missing-tool', 'VirtualBox machines run in the private network alone', {
        hint: 'Leave network: out of the spec; `appliance doctor` says what the private network needs.',
      })
    const tunnel = { from: await freePort(), to: await freePort() }
    cleanup.use(await start('socat', tunnelArguments(tap, tunnel), {}))
    const serial = serialLog(spec)
    await rm(serial, { force: true })
    const publicKey = spec.login.credential ? await readFile(`${spec.login.key}.pub`, 'utf8') : undefined
    const hardware: Hardware = {
      spec,
      folder,
      disks,
      mac,
      tunnel,
      serial,
      ...(publicKey ? { publicKey } : {}),
    }
    for (const command of creating(hardware)) await manage(command)

    const headless = () =>
      start('VBoxHeadless', ['--startvm', spec.name, '--vrde', 'off'], {
        env,
        onOutput: (text) => room.log.debug(text.trimEnd()),
      })
    const running = await Processes.begin(headless)
    cleanup.use(running)
    // What was written goes back into the disk it was asked to go to, once the machine is off.
    const finish = async () => {
      await running[Symbol.asyncDispose]()
      if (!spec.throwAway) {
        const written = [spec.disk, ...(spec.moreDisks ?? [])]
        for (const [n, disk] of written.entries()) await intoDisk(disks[n]!.path, disk)
      }
      await cleanup.close()
    }
    return new VirtualBoxMachine({
      spec,
      plug,
      serial,
      sockets,
      ended: running.ended,
      said: () => running.said(),
      close: finish,
      manage,
      restart: () => running.again(),
    })
  } catch (error) {
    await cleanup.close()
    throw error
  }
}

/** VirtualBox writes no qcow2 of our kind: copies, in its own format. */
async function disksFor(spec: MachineSpec, folder: string, signal: AbortSignal): Promise<Hardware['disks']> {
  const convert = async (path: string, format: string, name: string) => {
    const to = join(folder, `${name}.vdi`)
    await run('qemu-img', ['convert', '-q', '-f', format, '-O', 'vdi', path, to], { signal })
    return to
  }
  const first = { path: await convert(spec.disk.path, spec.disk.format, 'disk'), readOnly: false }
  const further: { path: string; readOnly: boolean; serial?: string }[] = []
  for (const [n, { path, format }] of (spec.moreDisks ?? []).entries())
    further.push({ path: await convert(path, format, `disk-${n + 2}`), readOnly: false })
  for (const { path, serial } of spec.readOnlyDisks)
    further.push({ path: await convert(path, 'raw', serial), readOnly: true, serial })
  return [first, ...further]
}

/** Its final name shows only the whole. */
async function intoDisk(vdi: string, { path, format }: { path: string; format: string }): Promise<void> {
  const partial = `${path}.partial`
  await run('qemu-img', ['convert', '-q', '-f', 'vdi', '-O', format, vdi, partial])
  await rename(partial, path)
}

/** The machine's process; another one after each rollback, of which nobody need know. */
class Processes implements AsyncDisposable {
  readonly #launch: () => Promise<RunningCommand>
  #now: RunningCommand
  #replacing = false
  readonly ended: Promise<number>
  #settle!: (status: number) => void

  static async begin(launch: () => Promise<RunningCommand>): Promise<Processes> {
    return new Processes(launch, await launch())
  }

  private constructor(launch: () => Promise<RunningCommand>, first: RunningCommand) {
    this.#launch = launch
    this.#now = first
    this.ended = new Promise((resolve) => {
      this.#settle = resolve
    })
    this.#follow(first)
  }

  #follow(one: RunningCommand): void {
    const over = (status: number) => {
      if (!this.#replacing) this.#settle(status)
    }
    one.ended.then(over, () => over(1))
  }

  said(): string {
    return this.#now.stderrTail()
  }

  async again(): Promise<void> {
    this.#replacing = true
    await this.#now.stop()
    this.#now = await this.#launch()
    this.#replacing = false
    this.#follow(this.#now)
    await pause(200)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#now.stop()
  }
}
