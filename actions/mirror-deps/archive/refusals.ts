import { ApplianceError } from '../../lib/errors/error.ts'
import { formatSize } from '../../lib/units/size.ts'
import { LOCK_NAME, named } from './names.ts'
import type { TarEntry } from './tar.ts'

/** More entries than any mirror of this lock has, whatever else is in the archive. */
const ENTRIES_BEYOND = 100_000
/** A lock of a hundred thousand artefacts has some 30 MB. */
const LOCK_LIMIT = 256 << 20
/** What may come out of an archive beyond what the lock promises (git packs, another lock's artefacts), bytes. */
const SLACK = 1 << 30
/** Mirrors are compressed already; ten times is a lot, a thousand times is a bomb. */
const EXPANSION = 20

/** What an archive may not be; each `refuse…` throws one line that names the entry. */
export class Refusals {
  private readonly archive: string
  private readonly most: number
  private readonly seen = new Set<string>()
  private readonly entries: number
  private bytes = 0

  /**
   * @param archive for messages
   * @param size of the archive, bytes
   * @param promised how many artefacts the lock names, and their bytes
   */
  constructor(archive: string, size: number, promised: { artefacts: number; bytes: number }) {
    this.archive = archive
    this.most = promised.bytes + SLACK + EXPANSION * size
    this.entries = promised.artefacts + ENTRIES_BEYOND
  }

  /**
   * @param expected bytes it has in the lock; undefined: the lock does not say
   */
  judge(entry: TarEntry, expected: number | undefined): void {
    const { name, size, kind, what } = entry
    const shown = JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name)
    if (kind === 'other')
      throw this.refused(`${shown} is ${what}; an archive of a mirror has plain files only`)
    if (name.startsWith('/')) throw this.refused(`${shown} is an absolute name`)
    if (name.split('/').includes('..')) throw this.refused(`${shown} leads out of the mirror`)
    if (this.seen.has(name)) throw this.refused(`${shown} is in it twice`)
    if (this.seen.size >= this.entries) throw this.refused(`it has more than ${this.entries} entries`)
    this.seen.add(name)
    if (kind === 'directory') return
    if (!named(name)) throw this.refused(`${shown} is no name of a mirror’s store`)
    if (name === LOCK_NAME && size > LOCK_LIMIT) throw this.refused(`${shown} has ${formatSize(size)}`)
    if (expected !== undefined && size !== expected)
      throw this.refused(`${shown} has ${size} bytes, the lock says ${expected}`)
    this.bytes += size
    if (this.bytes > this.most)
      throw this.refused(
        `what is in it has more than ${formatSize(this.most)}, far more than the lock promises`,
      )
  }

  /** What is wrong with the archive as a whole. */
  refused(why: string): ApplianceError {
    return new ApplianceError('input', `${this.archive} is refused: ${why}`, {
      hint: 'Use an archive that `appliance mirror-deps --archive` wrote. What was taken from it before is right.',
    })
  }
}
