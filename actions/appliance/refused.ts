import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writeJson } from '../lib/files/atomic.ts'
import { textOf } from '../lib/files/text.ts'
import type { WorkDone } from '../lib/stage/execute.ts'

/** A finished stage that is not recorded as done, because somebody tried to leave while it worked. */
interface Refused {
  /** Of the stage as it was then. */
  fingerprint: string
  done: WorkDone
  /** Path of each output file → size, mtime, inode. */
  seen: Record<string, string>
}

const FILE = 'refused.json'

/** Keeps what a stage made, for the case that the user then says that such attempts may be. */
export async function keepRefused(folder: string, fingerprint: string, done: WorkDone): Promise<void> {
  const refused: Refused = { fingerprint, done, seen: await looksOf(done) }
  await writeJson(join(folder, FILE), refused)
}

/** What was kept, if it was made from the same and its files are as they were; whatever was kept is forgotten. */
export async function takeRefused(folder: string, fingerprint: string): Promise<WorkDone | undefined> {
  const file = join(folder, FILE)
  const text = await textOf(file)
  await rm(file, { force: true })
  try {
    const refused = JSON.parse(text) as Refused
    if (refused.fingerprint !== fingerprint) return undefined
    const looks = await looksOf(refused.done)
    return JSON.stringify(looks) === JSON.stringify(refused.seen) ? refused.done : undefined
  } catch {
    return undefined // never kept, or cut short
  }
}

async function looksOf({ result }: WorkDone): Promise<Record<string, string>> {
  const looks: Record<string, string> = {}
  for (const output of [...Object.values(result.outputs), ...(result.files ?? [])]) {
    if (!('path' in output)) continue
    const { size, mtimeNs, ino } = await stat(output.path, { bigint: true })
    looks[output.path] = `${size} ${mtimeNs} ${ino}`
  }
  return looks
}
