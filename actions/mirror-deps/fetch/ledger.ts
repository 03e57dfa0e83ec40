import type { Artefact } from '../../lib/lock/lock.ts'

/** Where an artefact was found when it was wanted. */
export type Whence = 'store' | 'shared' | 'archive' | 'downloaded' | 'refetched'

/** What a run did for one source. */
export interface Tally {
  artefacts: number
  /** All its artefacts, bytes. */
  bytes: number
  /** Artefacts fetched from upstream, and how many bytes came over the network for them. */
  downloaded: number
  downloadedBytes: number
  /** Artefacts that were there: in the store, in the shared cache, in an archive. */
  found: number
  /** Among those that were there: from an archive. */
  archived: number
  /** Among the downloaded: those that were there with other bytes than locked. */
  refetched: number
}

interface Entry {
  size: number
  whence: Whence
  transferred: number
}

/** What one run did, source by source (`deb debian`, `gem app`, `tools`), for the table at its end. */
export class Ledger {
  private readonly sources = new Map<string, Map<string, Entry>>()

  /**
   * One artefact of a source. Where it came from when it was first asked for is what counts: what locking downloaded
   * is in the store when fetching comes to it.
   *
   * @param transferred bytes that came over the network for it
   */
  note(source: string, { sha256, size }: Artefact, whence: Whence, transferred = 0): void {
    const entries = this.sources.get(source) ?? new Map<string, Entry>()
    this.sources.set(source, entries)
    const before = entries.get(sha256)
    if (!before) entries.set(sha256, { size, whence, transferred })
    else if (isFetched(whence)) {
      before.whence = before.whence === 'refetched' ? 'refetched' : whence
      before.transferred += transferred
    }
  }

  /** A source that is about to be dealt with: its place among the rows. */
  begin(source: string): void {
    if (!this.sources.has(source)) this.sources.set(source, new Map())
  }

  /** In the order in which the sources were begun, or first noted. */
  get rows(): ReadonlyMap<string, Readonly<Tally>> {
    return new Map([...this.sources].map(([source, entries]) => [source, tallyOf([...entries.values()])]))
  }

  get downloadedBytes(): number {
    return [...this.rows.values()].reduce((sum, { downloadedBytes }) => sum + downloadedBytes, 0)
  }
}

function isFetched(whence: Whence): boolean {
  return whence === 'downloaded' || whence === 'refetched'
}

function tallyOf(entries: readonly Entry[]): Tally {
  const count = (which: (entry: Entry) => boolean) => entries.filter(which).length
  const sum = (what: (entry: Entry) => number) => entries.reduce((total, entry) => total + what(entry), 0)
  const downloaded = count(({ whence }) => isFetched(whence))
  return {
    artefacts: entries.length,
    bytes: sum(({ size }) => size),
    downloaded,
    downloadedBytes: sum(({ transferred }) => transferred),
    found: entries.length - downloaded,
    archived: count(({ whence }) => whence === 'archive'),
    refetched: count(({ whence }) => whence === 'refetched'),
  }
}
