import { mkdir, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ApplianceError, toApplianceError } from '../lib/errors/error.ts'
import type { Guest } from '../lib/guest/guest.ts'
import type { Machine } from '../lib/hypervisor/hypervisor.ts'
import { run } from '../lib/process/command.ts'
import type { ProvisionStep } from '../lib/spec/spec.ts'
import type { StageWork } from '../lib/stage/stage.ts'
import { formatSize } from '../lib/units/size.ts'
import { BootConsole } from './boot-console.ts'
import type { Layer } from './layers/layer.ts'
import { keyAt, type Plan, resumePoint, whyNot } from './layers/plan.ts'
import { overlay, type Shelf } from './layers/shelf.ts'
import type { Provisioning } from './provisioning.ts'
import type { ProvisionReport } from './report.ts'
import { runStep } from './steps/steps.ts'

/** The stage's steps on their way: from the last layer that can be reused to the last step. */
export interface Course {
  readonly machine: Machine
  /** The one that answers now. */
  readonly guest: Guest
  /** The disk that is written to from now on. */
  readonly disk: string
  /** The last layer's, which lies under it; undefined where none was kept. */
  readonly under: string | undefined
}

export interface CourseOptions {
  work: Pick<StageWork, 'project' | 'log' | 'signal' | 'workDirectory' | 'outDirectory' | 'network' | 'timed'>
  plan: Plan
  /** undefined: nothing is kept, and nothing that was kept is used. */
  shelf: Shelf | undefined
  base: string
  /** This position and all after it run, whatever layers there are. */
  from: number | undefined
  /** What a kept machine needs to go on. */
  fits: Record<string, string>
  boot(disk: string, resume?: Layer): Promise<Machine>
  prepare(guest: Guest): Promise<{ env: Record<string, string> }>
  env: Record<string, string>
  serial: string
  /** Gets each step as it is done, or as it fails. */
  report: ProvisionReport
  /** The machine is kept where a step fails: with all that the step had put there for its own use. */
  leaves: boolean
  /** A step failed; the machine still runs, and is ended afterwards. */
  onFailure?(machine: Machine, thrown: unknown): Promise<void>
}

/** Where the course begins: a machine that answers, on a disk of its own. */
interface Beginning {
  position: number
  machine: Machine
  guest: Guest
  disk: string
}

/**
 * Goes from the last step whose result can be reused through all that follow, and keeps the machine after each. The
 * caller disposes of the machine.
 */
export async function runCourse(options: CourseOptions): Promise<Course> {
  const { work, plan, shelf, from, report } = options
  const { log, signal } = work
  await shelf?.tidy()
  const layers = shelf ? (await shelf.layers()).reverse() : []
  const resumed = resumePoint(plan, layers, from === undefined ? plan.steps.length : from - 1)
  const because = from === undefined && shelf ? reasonFor(plan, layers, resumed) : undefined
  if (resumed) await useLayers(options, resumed, report)
  const beginning = await begin(options, resumed)
  const { machine } = beginning
  const bootConsole = await BootConsole.after(options.serial, resumed && shelf?.console(resumed.key))
  let { guest, disk } = beginning
  try {
    for (let position = beginning.position; position <= plan.steps.length; position++) {
      if (position > 0 && position > (resumed?.position ?? 0)) {
        const { title, step, key } = plan.steps[position - 1]!
        const why = position === (resumed?.position ?? 0) + 1 ? because : undefined
        if (why) log.info(`${title} runs: ${why}`)
        const files = shelf ? shelf.files(key) : join(work.workDirectory, 'files', String(position))
        const provisioning: Provisioning = {
          work,
          machine,
          guest,
          env: options.env,
          prepare: async (again) => void (await options.prepare(again)),
          files,
          bootConsole,
          serial: options.serial,
          leaves: options.leaves,
        }
        const began = performance.now()
        const so = { from: 'run' as const, ...(why ? { because: why } : {}) }
        const did = await log
          .group(title, () => work.timed(title, () => runStep(step, title, provisioning)))
          .catch((error) => {
            const milliseconds = Math.round(performance.now() - began)
            const failed = toApplianceError(error).message
            report.steps.push({ title, kind: step.kind, milliseconds, ...provisioning.done, ...so, failed })
            throw error
          })
        guest = provisioning.guest
        report.steps.push({ ...did, ...so })
        await keepFiles(step, files, work.outDirectory)
      }
      if (!shelf || position === resumed?.position) continue
      disk = await work.timed('layers', async () => {
        await bootConsole.keep(shelf.console(keyAt(plan, position)))
        return await keep(options, shelf, position, machine, guest, report)
      })
    }
    signal.throwIfAborted()
    return { machine, guest, disk, under: shelf?.disk(keyAt(plan, plan.steps.length)) }
  } catch (error) {
    await options.onFailure?.(machine, error)
    await machine[Symbol.asyncDispose]()
    throw error
  }
}

/** Tells which steps need not run, and takes from their layers what they gave. */
async function useLayers(
  { work, plan, shelf }: CourseOptions,
  resumed: Layer,
  report: ProvisionReport,
): Promise<void> {
  for (const { key, title, step } of plan.steps.slice(0, resumed.position)) {
    const given = await shelf!.given(key)
    work.log.info(`${title}: unchanged, from its layer`)
    report.steps.push({
      ...(given?.report ?? { title, kind: step.kind, milliseconds: 0 }),
      title,
      from: 'layer',
    })
    if (given) await keepFiles(step, given.files, work.outDirectory)
  }
  await shelf!.used(resumed.key)
}

function reasonFor(plan: Plan, layers: readonly Layer[], resumed: Layer | undefined): string | undefined {
  const next = resumed ? resumed.position + 1 : 0
  if (next > plan.steps.length) return undefined
  return whyNot(plan, layers, next)
}

/** The machine goes on where it was kept; where it cannot, it is booted from the disk it had then; else from the base. */
async function begin(options: CourseOptions, resumed: Layer | undefined): Promise<Beginning> {
  const { work, plan, shelf, base } = options
  const position = resumed?.position ?? 0
  const next = async () => {
    if (!shelf) return await fresh(join(work.workDirectory, 'provisioned.qcow2'), base)
    if (!resumed) return await shelf.begin(plan.base.key, undefined)
    return await nextDisk(options, shelf, position)
  }
  if (resumed?.machine && sameThings(resumed.machine.fits, options.fits)) {
    const disk = await next()
    let machine: Machine | undefined
    try {
      const went = await work.timed('resume', async () => {
        const going = await options.boot(disk, resumed)
        machine = going
        const guest = await going.guest(work.signal, 60_000)
        await guest.run(`date -u -s @${(Date.now() / 1000).toFixed(2)}`, { title: 'setting the clock' })
        return { machine: going, guest }
      })
      return { position, disk, ...went }
    } catch (error) {
      await machine?.[Symbol.asyncDispose]()
      work.signal.throwIfAborted()
      if (!(error instanceof ApplianceError)) throw error
      work.log.warn(`the kept machine does not go on (${error.message}); it is booted instead`)
    }
  }
  const disk = await next()
  const machine = await options.boot(disk)
  try {
    const guest = await work.timed('boot', () => machine.guest(work.signal))
    await work.timed('preparing the guest', () => options.prepare(guest))
    return { position, machine, guest, disk }
  } catch (error) {
    await machine[Symbol.asyncDispose]()
    throw error
  }
}

/** Where the machine writes after a position. */
async function nextDisk({ plan, work }: CourseOptions, shelf: Shelf, position: number): Promise<string> {
  const key = keyAt(plan, position)
  const following = plan.steps[position]
  if (following) return await shelf.begin(following.key, key)
  return await fresh(join(work.workDirectory, 'provisioned.qcow2'), shelf.disk(key))
}

async function fresh(path: string, under: string): Promise<string> {
  await rm(path, { force: true })
  await overlay(path, under)
  return path
}

/** Makes a layer of the machine as it is now. @returns the disk that it writes to from now on */
async function keep(
  options: CourseOptions,
  shelf: Shelf,
  position: number,
  machine: Machine,
  guest: Guest,
  report: ProvisionReport,
): Promise<string> {
  const { plan, work } = options
  await guest.run('sync', { signal: work.signal })
  const next = await nextDisk(options, shelf, position)
  const key = keyAt(plan, position)
  const wanted = await roomForMemory(options)
  const saved = await machine.checkpoint(next, wanted ? shelf.memory(key) : undefined)
  const step = plan.steps[position - 1]
  const last = report.steps.at(-1)
  await shelf.finish(
    {
      key,
      position,
      title: step?.title ?? 'the base machine, booted',
      dependsOn: step?.dependsOn ?? plan.base.dependsOn,
      ...(position > 0 ? { after: keyAt(plan, position - 1), parent: keyAt(plan, position - 1) } : {}),
      ...(position > 0 && last ? { report: reportOf(last) } : {}),
    },
    saved && { machine: saved, fits: options.fits },
  )
  return next
}

function reportOf({
  from: _from,
  because: _because,
  failed: _failed,
  ...rest
}: ProvisionReport['steps'][number]) {
  return rest
}

/** A memory that does not fit would fail the step for a mere convenience. */
async function roomForMemory({ work }: CourseOptions): Promise<boolean> {
  const { bavail, bsize } = await statfs(work.project.buildDirectory)
  const free = bavail * bsize
  const { memory } = work.project.spec.basebox
  if (free > 2 * memory) return true
  work.log.warn(
    `no memory is kept with this layer: ${formatSize(free)} are free, and a machine of ${formatSize(memory)} may need them`,
  )
  return false
}

/** Collects what a step has fetched, under `build/chef-provision/files/`. */
async function keepFiles(step: ProvisionStep, files: string, outDirectory: string): Promise<void> {
  if (step.kind !== 'download') return
  const to = join(outDirectory, 'files', step.to)
  // An earlier step's may be of another kind. Not fs.cp: it makes links absolute, or fails for those that dangle.
  await rm(to, { recursive: true, force: true })
  await mkdir(dirname(to), { recursive: true })
  await run('cp', ['--archive', '--no-target-directory', join(files, step.to), to])
}

function sameThings(a: Record<string, string>, b: Record<string, string>): boolean {
  return Object.keys({ ...a, ...b }).every((name) => a[name] === b[name])
}
