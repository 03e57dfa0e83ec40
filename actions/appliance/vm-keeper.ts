import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { likeProvisioning } from '../chef-provision/like-provisioning.ts'
import { ApplianceError, toApplianceError } from '../lib/errors/error.ts'
import { InputError } from '../lib/errors/fault.ts'
import { qemu } from '../lib/hypervisor/qemu/hypervisor.ts'
import type { Log } from '../lib/log/log.ts'
import { enter } from '../lib/network/enter.ts'
import { withoutProxies } from '../lib/network/proxies.ts'
import { detach } from '../lib/process/detach.ts'
import { openProject } from '../lib/stage/project.ts'
import { readRecord } from '../lib/stage/record.ts'
import type { Project } from '../lib/stage/stage.ts'
import { toolsDisk } from '../lib/tools/disk.ts'
import { parseDuration } from '../lib/units/duration.ts'
import { serveMachine } from '../vm-validate/control.ts'
import { type Common, machineOfDisk, machineOfOva, rootByKey } from '../vm-validate/subject.ts'
import { testMachine } from '../vm-validate/test-machine.ts'
import { chooseNetwork, type Door, mirrorOf, openNetwork } from './inside.ts'
import { isServed } from './vm-client.ts'

/** Set in the process that keeps a machine: what it is to do, as JSON. */
const MARK = 'APPLIANCE_KEEPER'

interface Order {
  directory: string
  specFile: string
  ova?: string
  disk?: string
  /** Chef plugged in, the mirror set up. */
  provisioning: boolean
  socket: string
  network: 'private' | 'user'
  /** Milliseconds after which it ends by itself. */
  lifetime: number
}

/**
 * Starts a process of its own that keeps a machine, in a network where only the mirror is, and waits until it has
 * booted. It ends when it is asked to, or by itself after its time; the machine ends with it, whatever ends it.
 */
export async function startKeeper(
  project: Project,
  socket: string,
  values: Record<string, unknown>,
  { log, entry, signal }: Door,
): Promise<void> {
  const lifetime = parseDuration(String(values.for ?? '8 h'))
  if (lifetime === undefined)
    throw new InputError([{ message: `--for: expected a time such as 2 h, got ${values.for}` }])
  if (values.ova !== undefined && values.disk !== undefined)
    throw new InputError([{ message: 'give --ova or --disk, not both' }])
  if (values.ova !== undefined && values.provisioning === true)
    throw new InputError([{ message: '--provisioning is for the base machine or a --disk, not for an OVA' }])
  const from = String(values['working-directory'] ?? '.')
  const network = await chooseNetwork(project, log)
  const provisioning = values.provisioning === true
  const subject = values.ova
    ? { ova: resolve(from, String(values.ova)) }
    : {
        disk: values.disk
          ? resolve(from, String(values.disk))
          : await diskOf(project, provisioning ? 'veewee-basebox' : 'chef-provision'),
      }
  const { directory, specFile } = project
  const order: Order = { directory, specFile, ...subject, provisioning, socket, network, lifetime }
  const folder = join(project.buildDirectory, 'vm')
  await mkdir(folder, { recursive: true })
  const logFile = join(folder, 'keeper.log')
  await using output = await open(logFile, 'w')
  const [command, ...args] = [
    ...(network === 'private' ? enter() : []),
    ...[process.execPath, ...process.execArgv, ...entry],
  ] as [string, ...string[]]
  const keeper = detach(command, args, { ...withoutProxies, [MARK]: JSON.stringify(order) }, output.fd)
  const stop = () => keeper.kill()
  signal.addEventListener('abort', stop, { once: true })
  log.info('booting; this takes as long as the machine does')
  while (!(await isServed(socket))) {
    signal.throwIfAborted()
    if (keeper.ended())
      throw new ApplianceError('no-answer', `the machine did not start: ${await lastLine(logFile)}`, {
        hint: `What happened is in ${logFile}.`,
      })
    await pause(200)
  }
  signal.removeEventListener('abort', stop)
  log.info('it runs: appliance vm ssh logs in, appliance vm stop ends it')
}

async function diskOf(
  { buildDirectory }: Project,
  stage: 'veewee-basebox' | 'chef-provision',
): Promise<string> {
  const folder = join(buildDirectory, stage)
  const disk = (await readRecord(folder))?.outputs.disk
  if (disk && 'path' in disk) return join(folder, disk.path)
  throw new ApplianceError('stale', `there is no disk in ${buildDirectory} yet`, {
    hint: 'Run `appliance build` first, or name one: --disk FILE, --ova FILE.',
  })
}

async function lastLine(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).trim().split('\n').at(-1) ?? ''
}

/** Whether this process is to keep a machine. */
export function isKeeper(): boolean {
  return process.env[MARK] !== undefined
}

/** The keeper: boots, serves, ends. */
export async function keep(log: Log): Promise<void> {
  const order = JSON.parse(process.env[MARK]!) as Order
  delete process.env[MARK]
  const ended = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => ended.abort())
  setTimeout(() => ended.abort(), Math.min(order.lifetime, 2 ** 31 - 1)).unref()
  try {
    await keepMachine(order, log, ended)
  } catch (thrown) {
    if (!ended.signal.aborted) {
      log.warn(toApplianceError(thrown).message)
      process.exitCode = 1
    }
  }
  process.exit()
}

async function keepMachine(order: Order, log: Log, ended: AbortController): Promise<void> {
  const { signal } = ended
  const project = await openProject(order.directory, order.specFile)
  const folder = join(project.buildDirectory, 'vm')
  for (const name of ['evidence', 'machine']) await rm(join(folder, name), { recursive: true, force: true })
  const work = join(folder, 'machine')
  await mkdir(work, { recursive: true })
  await using mirror = mirrorOf(project, folder, log)
  await using network = await openNetwork(order.network, mirror.serve, log)
  const { spec } = project
  const timed = <T>(_: string, doIt: () => Promise<T>) => doIt()
  const tools = order.provisioning ? [await toolsDisk({ project, log, signal, timed })] : []
  const common: Common = {
    name: 'vm',
    throwAway: true,
    overlay: join(work, 'overlay.qcow2'),
    readOnlyDisks: tools,
    login: await rootByKey(project),
    evidence: join(folder, 'evidence'),
    accel: spec.accel,
  }
  const { cpus = spec.basebox.cpus, memory = spec.basebox.memory } = spec.pack.hardware
  const machine = order.ova
    ? await machineOfOva(order.ova, work, common, signal)
    : await machineOfDisk(order.disk!, {
        ...common,
        ...({ cpus, memory, firmware: 'bios', nic: 'virtio', controller: 'virtio' } as const),
      })
  const room = { network: () => network, log, workDirectory: work }
  try {
    await using test = testMachine(qemu(room), machine, log, network.welcome)
    await test.start(signal)
    if (order.provisioning) await likeProvisioning(test.guest, { ...room, project, signal })
    await test.keep(signal)
    await using _ = await serveMachine(order.socket, test, () => ended.abort(), signal)
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
