import type { Stats } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { writeJson } from '../../lib/files/atomic.ts'

/**
 * What each object of the store looked like when its every byte was last read and found right. Same size, time and
 * inode: it is still that file. After a restore from a cache nothing matches, and every byte is read again.
 */
export class Verified {
  private readonly path: string
  private readonly seen: Map<string, string>
  private changed = false

  private constructor(path: string, seen: Map<string, string>) {
    this.path = path
    this.seen = seen
  }

  /** A missing or damaged record only means more reading. */
  static async read(path: string): Promise<Verified> {
    try {
      const entries = Object.entries(JSON.parse(await readFile(path, 'utf8')) as Record<string, string>)
      return new Verified(path, new Map(entries))
    } catch {
      return new Verified(path, new Map())
    }
  }

  vouchesFor(sha256: string, status: Stats): boolean {
    return this.seen.get(sha256) === look(status)
  }

  note(sha256: string, status: Stats): void {
    if (this.vouchesFor(sha256, status)) return
    this.seen.set(sha256, look(status))
    this.changed = true
  }

  async write(): Promise<void> {
    if (this.changed) await writeJson(this.path, Object.fromEntries([...this.seen].sort()))
    this.changed = false
  }
}

function look({ size, mtimeMs, ino }: Stats): string {
  return `${size} ${mtimeMs} ${ino}`
}
