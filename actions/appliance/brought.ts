import { lstat, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { toApplianceError } from '../lib/errors/error.ts'
import { writeAtomically } from '../lib/files/atomic.ts'
import { run } from '../lib/process/command.ts'
import type { Carrier } from '../lib/runner/carrier.ts'
import { fingerprint, firstNotIntact, readRecord } from '../lib/stage/record.ts'
import type { Project, StageName, StageRecord } from '../lib/stage/stage.ts'
import type { Door } from './inside.ts'

/** A stage's result that some job may have made, and where it is wanted. */
export interface Carried {
  stage: StageName
  /** The fingerprint of what is wanted. */
  digest: string
  project: Project
  carrier: Carrier
  door: Door
}

/** Why a result was not brought: the file, and what is the matter with it. */
export interface Lacking {
  what: string
  why: string
  /** It was there, and was not what it should be; it is taken away, so that whoever makes it again can put it. */
  damaged: boolean
}

/** A stage's result is carried under its fingerprint: what has the name is what this commit would make. */
export function nameOf(stage: StageName, digest: string): string {
  return `appliance-${stage}-${digest.slice(0, 20)}`
}

/** The files a result is carried as; the record says that all is there. */
function filesOf(stage: StageName, digest: string): string[] {
  const name = nameOf(stage, digest)
  return stage === 'ova-pack' ? [`${name}.json`] : [`${name}.json`, `${name}.tar.zst`]
}

/** Whether a result is there for others: by the names of its files alone. */
export async function isCarried(stage: StageName, digest: string, carrier: Carrier): Promise<boolean> {
  for (const file of filesOf(stage, digest)) if (!(await carrier.has(file))) return false
  return true
}

/**
 * Brings a stage's record, a few kilobytes. Gives what it lacks, if it does.
 *
 * @param from `anywhere`, this computer included, or only what is carried and thereby there for others, too
 */
export async function bringRecord(
  carried: Carried,
  from: 'anywhere' | 'carried' = 'anywhere',
): Promise<Lacking | undefined> {
  const { stage, digest, project, carrier } = carried
  const folder = join(project.buildDirectory, stage)
  const here = (await readRecord(folder))?.fingerprint === digest
  if (here && from === 'anywhere') return undefined
  const what = `${nameOf(stage, digest)}.json`
  return await withScratch(project, async (scratch) => {
    const file = await carrier.fetch(what, scratch)
    if (file === undefined) return notCarried(what, carrier)
    const text = await readFile(file, 'utf8')
    if (!vouches(text, stage, digest)) return await takeAway(carried, what, `it is no record of ${stage}`)
    if (here) return undefined
    const fresh = join(scratch, 'fresh')
    await mkdir(fresh)
    await writeAtomically(join(fresh, 'stage.json'), text)
    await replace(folder, fresh)
    return undefined
  })
}

/** Brings everything that a stage made, unless it is here and intact. Gives what it lacks, if it does. */
export async function bringFiles(carried: Carried): Promise<Lacking | undefined> {
  const { stage, digest, project, carrier, door } = carried
  const folder = join(project.buildDirectory, stage)
  const there = await readRecord(folder)
  if (there?.fingerprint === digest && (await firstNotIntact(folder, there, false)) === undefined)
    return undefined
  const what = `${nameOf(stage, digest)}.tar.zst`
  return await withScratch(project, async (scratch) => {
    const archive = await carrier.fetch(what, scratch)
    if (archive === undefined) return notCarried(what, carrier)
    const unpacked = join(scratch, 'unpacked')
    await mkdir(unpacked)
    const broken = (await unpack(archive, unpacked, door)) ?? (await firstFault(unpacked, stage, digest))
    if (broken !== undefined) return await takeAway(carried, what, broken)
    await replace(folder, unpacked)
    return undefined
  })
}

async function withScratch<T>(project: Project, work: (scratch: string) => Promise<T>): Promise<T> {
  const scratch = join(project.buildDirectory, '.work', 'carry')
  await mkdir(scratch, { recursive: true })
  try {
    return await work(scratch)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** What was kept here to go on from is still of use. */
async function replace(folder: string, fresh: string): Promise<void> {
  await rename(join(folder, 'layers'), join(fresh, 'layers')).catch(() => {})
  await rm(folder, { recursive: true, force: true })
  await rename(fresh, folder)
}

function notCarried(what: string, { where }: Carrier): Lacking {
  return { what, why: `is not ${where}`, damaged: false }
}

/** Nobody is to stumble over it again, and who makes it again has to be able to put it. */
async function takeAway({ stage, digest, carrier }: Carried, what: string, fault: string): Promise<Lacking> {
  const damaged = `${carrier.where} is damaged (${fault})`
  try {
    for (const file of filesOf(stage, digest)) await carrier.discard(file)
    return { what, why: `${damaged} and was taken away`, damaged: true }
  } catch (thrown) {
    const { message } = toApplianceError(thrown)
    return { what, why: `${damaged}; delete it, which was not possible from here: ${message}`, damaged: true }
  }
}

/** Unpacks an archive; gives what is wrong with it, if something is. */
async function unpack(archive: string, folder: string, { signal }: Door): Promise<string | undefined> {
  const how = ['--use-compress-program=zstd', '-f', archive]
  try {
    const own = ['--no-same-owner', '--no-same-permissions']
    await run('tar', ['-x', ...own, ...how, '-C', folder], { signal })
    return undefined
  } catch (thrown) {
    // Is it the archive, or this computer (its disk is full)? Reading alone tells.
    const { status, stderr } = await run('tar', ['-t', ...how], { signal, allowFailure: true, keep: 0 })
    if (status === 0) throw thrown
    return `it cannot be unpacked: ${stderr.trim().split('\n')[0]}`
  }
}

async function firstFault(folder: string, stage: StageName, digest: string): Promise<string | undefined> {
  const foreign = await firstForeign(folder)
  if (foreign !== undefined) return `${foreign.slice(folder.length + 1)} in it is neither file nor folder`
  const text = await readFile(join(folder, 'stage.json'), 'utf8').catch(() => '')
  if (!vouches(text, stage, digest)) return `stage.json in it is no record of ${stage}`
  const broken = await firstNotIntact(folder, JSON.parse(text) as StageRecord, true)
  return broken && `${broken} in it is not what its record says`
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
