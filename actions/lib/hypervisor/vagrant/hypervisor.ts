import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { writeBox } from '../../box/archive.ts'
import { ApplianceError } from '../../errors/error.ts'
import { BRIDGE, NETWORK_RANGE } from '../../network/private.ts'
import { type RunningCommand, run, start } from '../../process/command.ts'
import { chooseAccel } from '../accel.ts'
import { Cleanup } from '../cleanup.ts'
import type { Hypervisor, Machine, MachineSpec, Problem } from '../hypervisor.ts'
import type { MachineRoom } from '../machine-room.ts'
import { missingPrograms } from '../programs.ts'
import { serialLog, unkept } from '../serial-log.ts'
import { lastWords, type Vagrant } from './command.ts'
import { NETWORK, startLibvirtd } from './libvirtd.ts'
import { VagrantMachine } from './machine.ts'
import { Monitor } from './monitor.ts'
import { keepSerial } from './serial.ts'
import { boxMetadata, cannotBeMade, vagrantfile } from './vagrantfile.ts'

const BOX = 'appliance/machine'

/**
 * The driver for Vagrant, with its provider libvirt: the one of its providers whose machines can be remembered while
 * they run, and plugged into a network of ours.
 */
export function vagrant(room: MachineRoom): Hypervisor {
  return { name: 'vagrant', can: ['console'], preflight, boot: (spec, signal) => boot(room, spec, signal) }
}

async function preflight(): Promise<Problem[]> {
  const problems = await missingPrograms({
    vagrant: ['--version', 'apt-get install vagrant vagrant-libvirt'],
    libvirtd: ['--version', 'apt-get install libvirt-daemon'],
    'qemu-img': ['--version', 'apt-get install qemu-utils'],
  })
  if (problems.length > 0) return problems
  const { stdout } = await run('vagrant', ['plugin', 'list'], { allowFailure: true })
  if (/^vagrant-libvirt /m.test(stdout)) return []
  return [{ what: 'Vagrant has no plugin vagrant-libvirt', remedy: 'vagrant plugin install vagrant-libvirt' }]
}

/**
 * A Vagrant project of its own, with its boxes and its libvirtd in folders that go with the machine: nothing of it is
 * seen in the user's Vagrant.
 */
async function boot(room: MachineRoom, spec: MachineSpec, signal: AbortSignal): Promise<Machine> {
  const unable = cannotBeMade(spec)
  if (unable)
    throw new ApplianceError('input', `${spec.name}: ${unable}`, { hint: 'Or use the driver qemu.' })
  if (room.network().kind !== 'private')
    throw new ApplianceError('missing-tool', 'Vagrant machines run in the private network alone', {
      hint: 'Leave network: out of the spec; `appliance doctor` says what the private network needs.',
    })
  const { accel, reason } = await chooseAccel(spec.accel)
  room.log.info(`${spec.name}: ${reason}`)
  const cleanup = new Cleanup()
  try {
    await mkdir(spec.evidence, { recursive: true })
    const sockets = await cleanup.folder(join(tmpdir(), 'appliance-vm-'))
    const folder = await cleanup.folder(
      join(room.workDirectory ?? process.env.RUNNER_TEMP ?? '/var/tmp', 'vagrant-'),
    )
    const [project, pool, home] = ['project', 'pool', 'home'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ]
    for (const made of [project, pool, home]) await mkdir(made)
    const env = { VAGRANT_HOME: home, HOME: home, VAGRANT_CHECKPOINT_DISABLE: '1', VAGRANT_NO_COLOR: '1' }
    const vagrant: Vagrant = async (args, asked) =>
      (await run('vagrant', args, { env, cwd: project, ...(asked ? { signal: asked } : {}) })).stdout
    await addBox(spec, folder, vagrant, signal)

    const mac = cleanup.claimMac(spec.mac)
    const plug = cleanup.use(await room.network().plug({ name: spec.name, mac, ports: [22] }))
    const serial = serialLog(spec)
    const pipe = join(sockets, 'serial')
    const said = cleanup.use(await keepSerial(pipe, serial, unkept(spec, room.log)))
    const libvirtd = cleanup.use(await startLibvirtd(join(folder, 'libvirt'), sockets, BRIDGE))
    const publicKey = spec.login.credential ? await readFile(`${spec.login.key}.pub`, 'utf8') : undefined
    const hardware = {
      ...{ spec, accel, box: BOX, mac, libvirtd: libvirtd.socket, pool, serial: pipe },
      network: { name: NETWORK, range: NETWORK_RANGE },
      monitor: join(sockets, 'qmp'),
      ...(publicKey ? { publicKey } : {}),
    }
    await writeFile(join(project, 'Vagrantfile'), vagrantfile(hardware))

    const up = await start('vagrant', ['--no-tty', 'up', '--provider', 'libvirt'], {
      ...{ env, cwd: project },
      onOutput: (text) => room.log.debug(text.trimEnd()),
    })
    const monitor = cleanup.use(new Monitor(hardware.monitor, libvirtd.machines))
    cleanup.use(up)
    await theMachine(spec.name, up, monitor, signal)
    void tellAddress(plug, monitor, (address) => libvirtd.gave(mac, address))
    return new VagrantMachine({
      ...{ spec, plug, serial, sockets, monitor, vagrant },
      unlogged: () => said.leftOut,
      ended: monitor.ended,
      said: () => up.stderrTail(),
      up: up.ended.then((status) => (status === 0 ? undefined : lastWords(up.stderrTail()))),
      async close() {
        await up.stop()
        await monitor[Symbol.asyncDispose]()
        // What was written goes back into the disk it was asked to go to, once the machine is off.
        if (!spec.throwAway) await intoDisk(join(pool, `${spec.name}-default.img`), spec.disk)
        await cleanup.close()
      },
    })
  } catch (error) {
    await cleanup.close()
    throw error
  }
}

/** The disk as a box, taken by Vagrant as one takes a box. */
async function addBox(
  spec: MachineSpec,
  folder: string,
  vagrant: Vagrant,
  signal: AbortSignal,
): Promise<void> {
  const { path, format } = spec.disk
  const [image, box] = [join(folder, 'box.img'), join(folder, 'machine.box')]
  await run('qemu-img', ['convert', '-q', '-f', format, '-O', 'qcow2', path, image], { signal })
  const { stdout } = await run('qemu-img', ['info', '--output=json', image], { signal })
  const members = [
    { name: 'metadata.json', content: { text: boxMetadata(JSON.parse(stdout)['virtual-size']) } },
    { name: 'box.img', content: { file: image } },
  ]
  await writeBox(box, members, signal)
  await rm(image)
  await vagrant(['box', 'add', '--name', BOX, '--provider', 'libvirt', box], signal)
  await rm(box)
}

/** Waits until there is a machine, which is long before `vagrant up` is done. */
async function theMachine(
  name: string,
  up: RunningCommand,
  monitor: Monitor,
  signal: AbortSignal,
): Promise<void> {
  let ended = false
  up.ended.finally(() => {
    ended = true
  })
  while (!(await monitor.connect())) {
    signal.throwIfAborted()
    if (ended)
      throw new ApplianceError('command-failed', `${name}: vagrant up failed: ${lastWords(up.stderrTail())}`)
    await pause(100)
  }
}

/** libvirt asks its own dnsmasq, which is not the one that gives the addresses here. */
async function tellAddress(
  plug: { address(): Promise<string | undefined> },
  monitor: Monitor,
  tell: (address: string) => Promise<void>,
): Promise<void> {
  let known: string | undefined
  let gone = false
  monitor.ended.finally(() => {
    gone = true
  })
  while (!gone && known === undefined) {
    known = await plug.address().catch(() => undefined)
    if (known !== undefined) await tell(known).catch(() => {})
    else await pause(300)
  }
}

/** Its final name shows only the whole. */
async function intoDisk(volume: string, { path, format }: MachineSpec['disk']): Promise<void> {
  const partial = `${path}.partial`
  await run('qemu-img', ['convert', '-q', '-f', 'qcow2', '-O', format, volume, partial])
  await rename(partial, path)
}
