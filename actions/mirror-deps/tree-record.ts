import { existsSync, lstatSync, readdirSync, type Stats } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setImmediate as others } from 'node:timers/promises'
import { writeAtomically } from '../lib/files/atomic.ts'
import { sha256File } from '../lib/files/digest.ts'

/** Path → how the file looked when it was written and, of what is no link into the store, its SHA-256 (else ''). */
type Written = Map<string, { look: string; sha256: string }>

const SHOWN = 10

/**
 * Notes what the tree is, file by file, beside it: what clients are served is to be what was written, and nobody
 * else's.
 */
export async function recordTree(tree: string): Promise<void> {
  const lines: string[] = []
  for (const [path, status] of filesOf(tree)) {
    // What is linked is held against the lock where it is linked to.
    const own = status.isFile() && status.nlink === 1 ? await sha256File(join(tree, path)) : ''
    lines.push(JSON.stringify([path, look(status, own === ''), own]))
  }
  await writeAtomically(recordOf(tree), `${lines.join('\n')}\n`)
}

/**
 * What of the tree is not as it was written, a line each; none: all of it is.
 *
 * @param reread read every byte of what is the tree's own; otherwise size, time and inode are what counts
 */
export async function changedInTree(tree: string, reread = false): Promise<string[]> {
  const written = await readRecord(tree)
  if (!existsSync(tree)) return ['tree is not there']
  if (!written) return ['how the tree was written is not known']
  const faults: string[] = []
  await others()
  for (const [path, status] of filesOf(tree)) {
    const before = written.get(path)
    written.delete(path)
    if (!before) faults.push(`tree/${path} is not the mirror's`)
    else if (!reread || before.sha256 === '') {
      const same = before.look === look(status, before.sha256 === '')
      // In a copy of the whole mirror the links are others, and lead into the store all the same.
      if (!same && !(reread && status.isFile() && status.nlink > 1))
        faults.push(`tree/${path} is not as it was written`)
    } else if (!status.isFile() || (await sha256File(join(tree, path))) !== before.sha256)
      faults.push(`tree/${path} has other bytes than were written`)
  }
  faults.push(...[...written.keys()].map((path) => `tree/${path} is no longer there`))
  if (faults.length <= SHOWN) return faults.sort()
  return [...faults.sort().slice(0, SHOWN), `and ${faults.length - SHOWN} more`]
}

/** Its files, and whatever else is there that is no folder. Ten thousand are read quicker at once than one by one. */
function filesOf(tree: string): [path: string, status: Stats][] {
  const entries = readdirSync(tree, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }): [string, Stats] => {
      const path = join(parentPath, name)
      return [path.slice(tree.length + 1), lstatSync(path)]
    })
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

/** @param linked it is a file of the store, whose bytes are held against the lock: only that it is that one counts */
function look({ size, mtimeMs, ino, mode }: Stats, linked: boolean): string {
  return linked ? `${ino} ${mode}` : `${size} ${mtimeMs} ${ino} ${mode}`
}

async function readRecord(tree: string): Promise<Written | undefined> {
  try {
    const lines = (await readFile(recordOf(tree), 'utf8')).split('\n').filter(Boolean)
    return new Map(
      lines.map((line) => {
        const [path, look, sha256] = JSON.parse(line) as [string, string, string]
        return [path, { look, sha256 }]
      }),
    )
  } catch {
    return undefined
  }
}

function recordOf(tree: string): string {
  return join(dirname(tree), 'tree.txt')
}
