import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../errors/error.ts'
import { refuse } from '../errors/fault.ts'
import { writeJson } from '../files/atomic.ts'
import type { Log } from '../log/log.ts'
import type { MachineNetwork } from '../network/network.ts'
import type { InputDeclarations, InputValues } from './input.ts'
import { missingFiles } from './missing.ts'
import { notRun } from './not-run.ts'
import { earlierStage, fingerprint, firstNotIntact, forgetRecord, readRecord, writeRecord } from './record.ts'
import type {
  EarlierStage,
  Project,
  Stage,
  StageName,
  StageRecord,
  StageResult,
  StageWork,
  ThisRun,
} from './stage.ts'

export interface Execution {
  state: 'up-to-date' | 'done'
  record: StageRecord
  outputs: EarlierStage
  /** What this run had to do, where the stage tells. */
  thisRun: ThisRun
  folder: string
  /** Wall-clock milliseconds, the whole stage and its parts. */
  milliseconds: number
  parts: Record<string, number>
}

/** What `run` gives back, wherever it ran. */
export interface WorkDone {
  result: StageResult
  parts: Record<string, number>
  /** Largest resident set of the process it ran in, bytes. */
  peakMemory: number
}

export interface ExecuteOptions {
  log: Log
  signal: AbortSignal
  /** Read every byte of the outputs, and of what is kept for them, before calling them up to date. */
  verify: boolean
  /** Work even when the record says it is done. */
  force?: boolean
  /** Runs a stage where only the mirror is (a child process in a namespace of its own). */
  inside: (
    stage: Stage,
    project: Project,
    inputs: Record<string, unknown>,
    rereads: boolean,
  ) => Promise<WorkDone>
}

/**
 * Brings one stage up to date: nothing to do when its fingerprint and its outputs are as recorded, otherwise it
 * works, and only then is recorded. Killed at any instant, the next run just continues.
 */
export async function execute<I extends InputDeclarations>(
  stage: Stage<I>,
  project: Project,
  inputs: InputValues<I>,
  options: ExecuteOptions,
): Promise<Execution> {
  const began = performance.now()
  const missing = await missingFiles(stage.inputs, inputs, project.directory)
  refuse([...(stage.refuses?.(inputs, project) ?? []), ...missing])
  const parts: Record<string, number> = {}
  const proves = stage.prove !== undefined && 'verify' in inputs && inputs.verify === true
  const rereads = options.verify && !proves
  const work = stageWork(stage, project, inputs, options.log, options.signal, parts, undefined, rereads)
  const folder = work.outDirectory
  const done = (
    state: Execution['state'],
    record: StageRecord,
    thisRun: ThisRun = stage.idle ?? { values: {} },
  ): Execution => ({
    state,
    record,
    outputs: earlierStage(folder, record),
    thisRun,
    folder,
    milliseconds: performance.now() - began,
    parts,
  })

  const record = await readRecord(folder)
  const force = options.force || stage.insists?.(inputs)
  if (proves) {
    if (!record) throw lacking(project, stage.name)
    await inWorkDirectory(work.workDirectory, () => stage.prove!(work))
    return done('up-to-date', record)
  }
  const dependsOn = await stage.dependsOn(work)
  if (record && !force && record.fingerprint === fingerprint(dependsOn)) {
    const broken = await firstNotIntact(folder, record, options.verify)
    if (broken === undefined) {
      await stage.afterwards?.(work)
      return done('up-to-date', record)
    }
    options.log.warn(`${stage.name}: its output ${broken} is not as it was made; making it again`)
  } else if (record && !force)
    options.log.info(`${stage.name}: again, because ${whatChanged(record, dependsOn)}`)

  await forgetRecord(folder)
  await mkdir(folder, { recursive: true })
  return await inWorkDirectory(work.workDirectory, async () => {
    const ended =
      stage.place === 'host'
        ? { result: await stage.run(work), parts, peakMemory: 0 }
        : await options.inside(stage as unknown as Stage, project, inputs as Record<string, unknown>, rereads)
    Object.assign(parts, ended.parts)
    // What a stage learns while it works (a lock it wrote) may be part of what it depends on.
    const written = await writeRecord(
      folder,
      stage.name,
      stage.place === 'host' ? await stage.dependsOn(work) : dependsOn,
      ended.result,
    )
    await stage.afterwards?.(work)
    const execution = done('done', written, ended.result.thisRun)
    const { milliseconds, thisRun } = execution
    if (ended.result.thisRun) await writeJson(join(folder, 'run.json'), thisRun.values)
    const peak = Math.max(ended.peakMemory, peakMemory())
    await writeJson(join(folder, 'timings.json'), { milliseconds, parts, peakMemory: peak })
    return execution
  })
}

/** Emptied before and after. */
async function inWorkDirectory<T>(directory: string, work: () => Promise<T>): Promise<T> {
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  try {
    return await work()
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Everything a stage is given; `network` only exists inside the private network. */
export function stageWork<I extends InputDeclarations>(
  stage: Stage<I>,
  project: Project,
  inputs: InputValues<I>,
  log: Log,
  signal: AbortSignal,
  parts: Record<string, number>,
  network?: MachineNetwork,
  rereads = false,
): StageWork<I> {
  const name = folderName(stage, inputs)
  return {
    project,
    inputs,
    log,
    signal,
    rereads,
    outDirectory: join(project.buildDirectory, name),
    workDirectory: join(project.buildDirectory, '.work', name),
    network() {
      if (network) return network
      throw new ApplianceError('internal', `${stage.name} asks for the machines' network outside of it`)
    },
    earlier: (earlier) => completed(project, earlier),
    async timed(part, work) {
      const began = performance.now()
      try {
        return await work()
      } finally {
        parts[part] = (parts[part] ?? 0) + performance.now() - began
      }
    },
  }
}

/** `vm-validate`, or `vm-validate/ova` where a stage runs a second time in a build. */
function folderName<I extends InputDeclarations>(stage: Stage<I>, inputs: InputValues<I>): string {
  const variant = stage.variant?.(inputs)
  return variant ? `${stage.name}/${variant}` : stage.name
}

/** Where a stage's finished files go. */
export function stageFolder(stage: Stage, project: Project, inputs: Record<string, unknown>): string {
  return join(project.buildDirectory, folderName(stage, inputs as never))
}

/** Largest resident set of this process so far, bytes (getrusage(2), ru_maxrss). */
export function peakMemory(): number {
  return process.resourceUsage().maxRSS * 1024
}

async function completed(project: Project, stage: StageName): Promise<EarlierStage> {
  const folder = join(project.buildDirectory, stage)
  const record = await readRecord(folder)
  if (record) return earlierStage(folder, record)
  throw lacking(project, stage)
}

/** The mirror goes from job to job by the cache; what the other stages make, by `carry`. */
function lacking({ buildDirectory }: Project, stage: StageName): ApplianceError {
  return notRun(buildDirectory, stage, stage !== 'mirror-deps')
}

function whatChanged(record: StageRecord, dependsOn: Record<string, string>): string {
  const names = new Set([...Object.keys(record.dependsOn), ...Object.keys(dependsOn)])
  const changed = [...names].filter((name) => record.dependsOn[name] !== dependsOn[name])
  return `${changed.join(', ')} changed`
}
