import { mkdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ApplianceError } from '../../errors/error.ts'
import { BoundedLog } from '../../files/bounded-log.ts'
import { type RunningCommand, run, start } from '../../process/command.ts'
import { chooseAccel } from '../accel.ts'
import { Cleanup } from '../cleanup.ts'
import {
  type DiskImage,
  type Hypervisor,
  type Machine,
  type MachineSpec,
  overlaysOf,
  type Problem,
} from '../hypervisor.ts'
import type { MachineRoom } from '../machine-room.ts'
import { serialLog, unkept } from '../serial-log.ts'
import { qemuArguments } from './arguments.ts'
import { blindness, uefiFirmware } from './firmware.ts'
import { QemuMachine } from './machine.ts'
import { loadMemory } from './memory.ts'
import { openQmp, type Qmp } from './qmp.ts'
import { majorVersion, QEMU } from './version.ts'

/** The driver that needs nothing but QEMU. */
export function qemu(room: MachineRoom): Hypervisor {
  return {
    name: 'qemu',
    can: ['power', 'console', 'cable', 'hardware'],
    preflight,
    unbootable: blindness,
    boot: (spec, signal) => boot(room, spec, signal),
  }
}

async function preflight(): Promise<Problem[]> {
  const problems: Problem[] = []
  for (const [program, packageName] of [
    [QEMU, 'qemu-system-x86'],
    ['qemu-img', 'qemu-utils'],
    ['ssh', 'openssh-client'],
  ] as const)
    try {
      await run(program, [program === 'ssh' ? '-V' : '--version'])
    } catch (error) {
      if (!(error instanceof ApplianceError)) throw error
      problems.push({ what: `${program}: ${error.message}`, remedy: `apt-get install ${packageName}` })
    }
  return problems
}

async function boot(room: MachineRoom, spec: MachineSpec, signal: AbortSignal): Promise<Machine> {
  const { accel, reason } = await chooseAccel(spec.accel)
  room.log.info(`${spec.name}: ${reason}`)
  const cleanup = new Cleanup()
  try {
    await mkdir(spec.evidence, { recursive: true })
    // Sockets' paths are at most 107 bytes long, so they cannot lie in the project's own folder.
    const sockets = await cleanup.folder(join(tmpdir(), 'appliance-vm-'))
    const { disk, moreDisks, forget } = await disksToWrite(room, spec, cleanup)
    const mac = cleanup.claimMac(spec.resume?.mac ?? spec.mac)
    const address = spec.resume ? { address: spec.resume.address } : {}
    const plug = cleanup.use(await room.network().plug({ name: spec.name, mac, ports: [22], ...address }))
    const moreNics: { mac: string; netdev: string[] }[] = []
    for (let n = 1; n < (spec.nics ?? 1); n++) {
      const more = cleanup.claimMac()
      const { netdev } = cleanup.use(
        await room.network().plug({ name: `${spec.name}, card ${n + 1}`, mac: more, ports: [] }),
      )
      moreNics.push({ mac: more, netdev: netdev.map((word) => word.replace('id=net0', `id=net${n}`)) })
    }
    const line = spec.throwAway ? { line: join(sockets, 'line') } : {}
    const serial = serialLog(spec)
    const monitor = join(sockets, 'qmp')
    const args = qemuArguments({
      spec,
      accel,
      version: await majorVersion(),
      disk,
      moreDisks,
      mac,
      netdev: plug.netdev,
      ...(spec.firmware === 'uefi' ? { uefi: await uefiFirmware(sockets) } : {}),
      ...(spec.login.credential ? { publicKey: await readFile(`${spec.login.key}.pub`, 'utf8') } : {}),
      ...(spec.login.besideOthers ? { besideOthers: true } : {}),
      ...(spec.resume ? { resumes: true } : {}),
      ...(moreNics.length > 0 ? { moreNics } : {}),
      ...line,
      monitor,
    })
    signal.throwIfAborted()
    const said = cleanup.use(await BoundedLog.begin(serial))
    const process = cleanup.use(
      await start(QEMU, args, {
        onOutput: (text, stream) => stream === 'stderr' && room.log.debug(text.trimEnd()),
      }),
    )
    said.keep(process.stdout, unkept(spec, room.log))
    const qmp = await monitorOf(process, monitor, spec.name, signal)
    cleanup.use({ [Symbol.asyncDispose]: async () => qmp.close() })
    await forget()
    if (spec.resume) await loadMemory(qmp, spec.resume.memory, join(sockets, 'memory'), signal)
    return new QemuMachine({
      spec,
      mac,
      process,
      qmp,
      plug,
      network: room.network().kind,
      serial,
      unlogged: () => said.leftOut,
      ...line,
      sockets,
      close: () => cleanup.close(),
    })
  } catch (error) {
    await cleanup.close()
    throw error
  }
}

/** The spec's disks, or overlays over them that have no names any more once QEMU has them open: nothing can be left behind. */
async function disksToWrite(room: MachineRoom, spec: MachineSpec, cleanup: Cleanup) {
  const { disk, moreDisks = [], enlarge } = spec
  if (!spec.throwAway) return { disk, moreDisks, forget: async () => {} }
  const given = overlaysOf(spec)
  const parent = room.workDirectory ?? process.env.RUNNER_TEMP ?? '/var/tmp'
  const folder = given ? undefined : await cleanup.folder(join(parent, 'overlay-'))
  const paths = given ?? overlaysOf({ overlay: join(folder!, `${spec.name}.qcow2`), moreDisks })!
  for (const [index, image] of [disk, ...moreDisks].entries()) await createOverlay(paths[index]!, image)
  if (enlarge !== undefined) await enlargeTo(paths[0]!, enlarge)
  const [first, ...more] = paths.map((path) => ({ path, format: 'qcow2' }))
  const forget = async () => {
    if (folder) await rm(folder, { recursive: true })
  }
  return { disk: first!, moreDisks: more, forget }
}

async function createOverlay(path: string, image: DiskImage): Promise<void> {
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', image.format, '-b', image.path, path])
}

async function enlargeTo(path: string, size: number): Promise<void> {
  const { stdout } = await run('qemu-img', ['info', '--output=json', path])
  if (JSON.parse(stdout)['virtual-size'] < size) await run('qemu-img', ['resize', '-q', path, String(size)])
}

/** Connects to the monitor as soon as it is there. A QEMU that ends first says why in the error. */
async function monitorOf(
  process: RunningCommand,
  path: string,
  name: string,
  signal: AbortSignal,
): Promise<Qmp> {
  let status: number | undefined
  const ended = process.ended.then(
    (code) => {
      status = code
    },
    (error) => {
      throw error
    },
  )
  for (;;) {
    signal.throwIfAborted()
    try {
      return await openQmp(path)
    } catch (error) {
      if (status === undefined) await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 20))])
      if (status === undefined) continue
      const said = process.stderrTail().trim().split('\n').at(-1)
      throw new ApplianceError(
        'command-failed',
        `${name}: QEMU ended at once (${status})${said ? `: ${said}` : ''}`,
        {
          cause: error,
        },
      )
    }
  }
}
