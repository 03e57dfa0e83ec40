import { readFile, rm, stat } from 'node:fs/promises'
import { isAbsolute, join, relative } from 'node:path'
import { ApplianceError } from '../errors/error.ts'
import { writeJson } from '../files/atomic.ts'
import { sha256, sha256File } from '../files/digest.ts'
import type { EarlierStage, RecordedFile, StageName, StageRecord, StageResult } from './stage.ts'

/** How an output file looked when it was recorded: what `up to date` trusts without reading every byte. */
interface Seen {
  [output: string]: { bytes: number; mtimeMs: number; inode: number }
}

/** The digest of everything a stage depends on. */
export function fingerprint(dependsOn: Record<string, string>): string {
  return sha256(JSON.stringify(Object.entries(dependsOn).sort(([a], [b]) => (a < b ? -1 : 1))))
}

/** The record in a stage's folder; undefined when the stage has not been completed there. */
export async function readRecord(folder: string): Promise<StageRecord | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, 'stage.json'), 'utf8')) as StageRecord
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Before a stage works again, nothing may claim that it is done. */
export async function forgetRecord(folder: string): Promise<void> {
  await rm(join(folder, 'stage.json'), { force: true })
  await rm(join(folder, 'seen.json'), { force: true })
}

/** Writes `stage.json` (last, so that it vouches for the rest) and what the files looked like. */
export async function writeRecord(
  folder: string,
  stage: StageName,
  dependsOn: Record<string, string>,
  result: StageResult,
): Promise<StageRecord> {
  const outputs: StageRecord['outputs'] = {}
  const seen: Seen = {}
  const recorded = async (name: string, file: { path: string; sha256?: string }): Promise<RecordedFile> => {
    const path = relative(folder, file.path)
    if (path.startsWith('..') || isAbsolute(path))
      throw new ApplianceError('internal', `${stage}: output ${name} lies outside of ${folder}`)
    const status = await stat(file.path)
    if (!status.isFile()) return { path }
    seen[name] = { bytes: status.size, mtimeMs: status.mtimeMs, inode: status.ino }
    return { path, bytes: status.size, sha256: file.sha256 ?? (await sha256File(file.path)) }
  }
  for (const [name, output] of Object.entries(result.outputs).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if ('value' in output) {
      outputs[name] = output
      continue
    }
    outputs[name] = await recorded(name, output)
  }
  const files: RecordedFile[] = []
  for (const file of result.files ?? []) {
    const name = relative(folder, file.path)
    files.push(await recorded(name, file))
  }
  const sorted = Object.fromEntries(Object.entries(dependsOn).sort(([a], [b]) => (a < b ? -1 : 1)))
  const record: StageRecord = {
    schema: 1,
    stage,
    fingerprint: fingerprint(dependsOn),
    dependsOn: sorted,
    outputs,
    ...(files.length > 0 && { files }),
    tools: result.tools,
  }
  await writeJson(join(folder, 'seen.json'), seen)
  await writeJson(join(folder, 'stage.json'), record)
  return record
}

/**
 * Whether the outputs are those that were recorded: by size, mtime and inode, or, with `verify`, by every byte.
 * Returns the name of the first output that is not, or undefined.
 */
export async function firstNotIntact(
  folder: string,
  record: StageRecord,
  verify: boolean,
): Promise<string | undefined> {
  let seen: Seen = {}
  try {
    seen = JSON.parse(await readFile(join(folder, 'seen.json'), 'utf8')) as Seen
  } catch {
    verify = true // restored from a cache or an artifact: nothing to go by but the bytes
  }
  const further = (record.files ?? []).map((file) => [file.path, file] as const)
  for (const [name, output] of [...Object.entries(record.outputs), ...further]) {
    if ('value' in output) continue
    const status = await stat(join(folder, output.path)).catch(() => undefined)
    if (!status) return name
    if (output.sha256 === undefined) continue
    if (status.size !== output.bytes) return name
    const before = seen[name]
    const same = before && before.mtimeMs === status.mtimeMs && before.inode === status.ino
    if ((verify || !same) && (await sha256File(join(folder, output.path))) !== output.sha256) return name
  }
  return undefined
}

/** A completed earlier stage as later ones see it. */
export function earlierStage(folder: string, record: StageRecord): EarlierStage {
  const output = (name: string) => {
    const found = record.outputs[name]
    if (!found) throw new ApplianceError('internal', `${record.stage} has no output ${name}`)
    return found
  }
  const file = (name: string) => {
    const found = output(name)
    if ('value' in found)
      throw new ApplianceError('internal', `${record.stage}'s output ${name} is not a file`)
    return found
  }
  return {
    record,
    path: (name) => join(folder, file(name).path),
    sha256: (name) => file(name).sha256 ?? '',
    value: (name) => {
      const found = output(name)
      if ('value' in found) return found.value
      throw new ApplianceError('internal', `${record.stage}'s output ${name} is a file`)
    },
  }
}
