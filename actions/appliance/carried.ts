import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { writeAtomically } from '../lib/files/atomic.ts'
import { sha256, sha256File } from '../lib/files/digest.ts'
import { run } from '../lib/process/command.ts'
import type { Carrier } from '../lib/runner/carrier.ts'
import { type Execution, stageWork } from '../lib/stage/execute.ts'
import { fingerprint } from '../lib/stage/record.ts'
import { type Project, type StageName, stageNames } from '../lib/stage/stage.ts'
import { bringFiles, bringRecord, isCarried, type Lacking, nameOf } from './brought.ts'
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

/** What a stage depends on, by the records of the stages before it; nothing of the mirror has to be there. */
async function fingerprintOf(name: StageName, project: Project, { log, signal }: Door): Promise<string> {
  const stage = stageNamed(name)
  const work = stageWork(stage, project, defaults(stage.inputs), log, signal, {})
  return fingerprint(await stage.dependsOn(work))
}

/**
 * Goes through the stages in order, bringing the record of each that was made before, until one was not: that one and
 * all after it have to work. A few kilobytes, whatever the disks weigh. What lies on this computer alone is no use to
 * the jobs that follow, and does not count.
 */
export async function stagesToRun(project: Project, carrier: Carrier, door: Door): Promise<StageName[]> {
  for (const [index, name] of carriedStages.entries()) {
    const digest = await fingerprintOf(name, project, door)
    const lacking = await bringRecord({ stage: name, digest, project, carrier, door }, 'carried')
    if (lacking?.damaged) door.log.warn(`${lacking.what} ${lacking.why}; ${name} is made again`)
    // The archive beside the record may be gone, or found to be damaged.
    if (lacking || !(await isCarried(name, digest, carrier))) return carriedStages.slice(index)
    door.log.info(`${name}: up to date (${nameOf(name, digest)})`)
  }
  return []
}

/**
 * Before a stage: what it needs of those before it; and its own result if another job or run made it already.
 *
 * @param whole whether all of the stage is to run: of a part, nobody else has the result
 */
export async function carryIn(
  name: StageName,
  project: Project,
  carrier: Carrier,
  door: Door,
  whole: boolean,
): Promise<void> {
  for (const earlier of carriedStages.slice(0, carriedStages.indexOf(name))) {
    const carried = {
      stage: earlier,
      digest: await fingerprintOf(earlier, project, door),
      project,
      carrier,
      door,
    }
    const lacking = reads[name].includes(earlier) ? await bringFiles(carried) : await bringRecord(carried)
    if (lacking) throw cannotBegin(name, earlier, lacking)
  }
  if (name === 'ova-pack' || !whole) return
  const digest = await fingerprintOf(name, project, door)
  const lacking = await bringFiles({ stage: name, digest, project, carrier, door })
  if (!lacking) door.log.info(`${name}: made before, nothing to do`)
  else if (lacking.damaged) door.log.warn(`${lacking.what} ${lacking.why}; ${name} is made again`)
}

function cannotBegin(name: StageName, earlier: StageName, { damaged, what, why }: Lacking): ApplianceError {
  const hint = damaged
    ? `Run all jobs of the workflow again, not only those that failed: then ${earlier} is made again.`
    : `Run ${earlier} with the same carry: first, from the same commit; artifacts live at most 90 days.`
  return new ApplianceError(damaged ? 'digest-mismatch' : 'stale', `${name}: ${what} ${why}`, { hint })
}

/** After a stage: its result, for the jobs and runs that follow. The record goes last, it says that all is there. */
export async function carryOut(
  { record, folder }: Execution,
  project: Project,
  carrier: Carrier,
  { log, signal }: Door,
): Promise<void> {
  const name = nameOf(record.stage, record.fingerprint)
  if (await isCarried(record.stage, record.fingerprint, carrier)) return
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
