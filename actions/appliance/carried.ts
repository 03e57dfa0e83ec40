import { lstat, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { writeAtomically } from '../lib/files/atomic.ts'
import { sha256, sha256File } from '../lib/files/digest.ts'
import { run } from '../lib/process/command.ts'
import type { Carrier } from '../lib/runner/carrier.ts'
import { type Execution, stageWork } from '../lib/stage/execute.ts'
import { fingerprint, firstNotIntact, readRecord } from '../lib/stage/record.ts'
import { type Project, type StageName, type StageRecord, stageNames } from '../lib/stage/stage.ts'
import { defaults } from './build.ts'
import type { Door } from './inside.ts'
import { stageNamed } from './stages.ts'

/** Whose files a stage reads; of the others before it, it goes by the record alone. */
const reads: Readonly<Record<StageName, readonly StageName[]>> = {
  'mirror-deps': [],
  'veewee-basebox': [],
  'chef-provision': ['veewee-basebox'],
  'vm-validate': ['chef-provision'],
  'ova-pack': ['chef-provision'],
}

/** The mirror travels by the Actions cache, the rest is carried; of the last stage, only that it is done (the OVA is an artifact). */
const carriedStages: readonly StageName[] = stageNames.filter((name) => name !== 'mirror-deps')

/** A stage's result is carried under its fingerprint: what has the name is what this commit would make. */
function nameOf(stage: StageName, digest: string): string {
  return `appliance-${stage}-${digest.slice(0, 20)}`
}

/** What a stage depends on, by the records of the stages before it; nothing of the mirror has to be there. */
async function fingerprintOf(name: StageName, project: Project, { log, signal }: Door): Promise<string> {
  const stage = stageNamed(name)
  const work = stageWork(stage, project, defaults(stage.inputs), log, signal, {})
  return fingerprint(await stage.dependsOn(work))
}

/**
 * Goes through the stages in order, bringing the record of each that was made before, until one was not: that one and
 * all after it have to work. A few kilobytes, whatever the disks weigh.
 */
export async function stagesToRun(project: Project, carrier: Carrier, door: Door): Promise<StageName[]> {
  for (const [index, name] of carriedStages.entries()) {
    const digest = await fingerprintOf(name, project, door)
    if (!(await bringRecord(name, digest, project, carrier, door))) return carriedStages.slice(index)
    door.log.info(`${name}: up to date (${nameOf(name, digest)})`)
  }
  return []
}

/** Before a stage: what it needs of those before it, and its own result if another job or run made it already. */
export async function carryIn(
  name: StageName,
  project: Project,
  carrier: Carrier,
  door: Door,
): Promise<void> {
  for (const earlier of carriedStages.slice(0, carriedStages.indexOf(name))) {
    const digest = await fingerprintOf(earlier, project, door)
    const brought = reads[name].includes(earlier)
      ? await bringFiles(earlier, digest, project, carrier, door)
      : await bringRecord(earlier, digest, project, carrier, door)
    if (!brought)
      throw new ApplianceError(
        'stale',
        `${name}: ${nameOf(earlier, digest)} is not among what was carried here`,
        {
          hint: `Run ${earlier} with the same carry: first, from the same commit; artifacts live at most 90 days.`,
        },
      )
  }
  if (name === 'ova-pack') return
  if (await bringFiles(name, await fingerprintOf(name, project, door), project, carrier, door))
    door.log.info(`${name}: made before, nothing to do`)
}

/** After a stage: its result, for the jobs and runs that follow. The record goes last, it says that all is there. */
export async function carryOut(
  { record, folder }: Execution,
  project: Project,
  carrier: Carrier,
  { log, signal }: Door,
): Promise<void> {
  const name = nameOf(record.stage, record.fingerprint)
  if (await carrier.has(`${name}.json`)) return
  const scratch = join(project.buildDirectory, '.work', 'carry')
  await mkdir(scratch, { recursive: true })
  try {
    if (record.stage !== 'ova-pack') {
      const archive = join(scratch, `${name}.tar.zst`)
      // Variants of the stage, and what is only about this run or this computer, stay; so do machines kept to go on
      // from, whose memories hold what their steps had in theirs.
      const left = ['ova', 'selected', 'layers', 'seen.json', 'run.json', 'timings.json'].map(
        (path) => `--exclude=./${path}`,
      )
      await run(
        'tar',
        ['--sparse', '-c', '--use-compress-program=zstd -T0 -3', '-f', archive, ...left, '-C', folder, '.'],
        {
          signal,
        },
      )
      await carrier.put(archive, await sha256File(archive, signal))
    }
    const text = await readFile(join(folder, 'stage.json'), 'utf8')
    await writeAtomically(join(scratch, `${name}.json`), text)
    await carrier.put(join(scratch, `${name}.json`), sha256(text))
    log.info(`${record.stage}: carried as ${name}`)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function bringRecord(
  stage: StageName,
  digest: string,
  project: Project,
  carrier: Carrier,
  { log }: Door,
): Promise<boolean> {
  const folder = join(project.buildDirectory, stage)
  if ((await readRecord(folder))?.fingerprint === digest) return true
  const scratch = join(project.buildDirectory, '.work', 'carry')
  await mkdir(scratch, { recursive: true })
  try {
    const file = await carrier.fetch(`${nameOf(stage, digest)}.json`, scratch)
    if (file === undefined) return false
    const text = await readFile(file, 'utf8')
    if (!vouches(text, stage, digest)) {
      log.warn(`${nameOf(stage, digest)}.json is no record of ${stage}, and is left alone`)
      return false
    }
    await rm(folder, { recursive: true, force: true })
    await writeAtomically(join(folder, 'stage.json'), text)
    return true
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function bringFiles(
  stage: StageName,
  digest: string,
  project: Project,
  carrier: Carrier,
  { log, signal }: Door,
): Promise<boolean> {
  const folder = join(project.buildDirectory, stage)
  const there = await readRecord(folder)
  if (there?.fingerprint === digest && (await firstNotIntact(folder, there, false)) === undefined) return true
  const scratch = join(project.buildDirectory, '.work', 'carry')
  const unpacked = join(scratch, 'unpacked')
  await mkdir(unpacked, { recursive: true })
  try {
    const archive = await carrier.fetch(`${nameOf(stage, digest)}.tar.zst`, scratch)
    if (archive === undefined) return false
    const how = ['--no-same-owner', '--no-same-permissions', '--use-compress-program=zstd']
    await run('tar', ['-x', ...how, '-f', archive, '-C', unpacked], { signal })
    const text = await readFile(join(unpacked, 'stage.json'), 'utf8').catch(() => '')
    const foreign = await firstForeign(unpacked)
    const broken = vouches(text, stage, digest)
      ? await firstNotIntact(unpacked, JSON.parse(text) as StageRecord, true)
      : 'stage.json'
    if (foreign !== undefined || broken !== undefined) {
      log.warn(`${nameOf(stage, digest)} is damaged (${foreign ?? broken}), and is left alone`)
      return false
    }
    // What was kept here to go on from is still of use.
    await rename(join(folder, 'layers'), join(unpacked, 'layers')).catch(() => {})
    await rm(folder, { recursive: true, force: true })
    await rename(unpacked, folder)
    return true
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

function vouches(text: string, stage: StageName, digest: string): boolean {
  try {
    const record = JSON.parse(text) as StageRecord
    return record.stage === stage && record.fingerprint === digest && fingerprint(record.dependsOn) === digest
  } catch {
    return false
  }
}

/** Nothing but plain files and folders is carried: a link could lead anywhere. */
async function firstForeign(folder: string): Promise<string | undefined> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    const status = await lstat(path)
    const inner = status.isDirectory() ? await firstForeign(path) : status.isFile() ? undefined : path
    if (inner !== undefined) return inner
  }
  return undefined
}
