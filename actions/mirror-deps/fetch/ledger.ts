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
  /** Among the downloaded: those that were there with other bytes than locked. */
  refetched: number
}

/** What one run did, source by source (`deb debian`, `gem app`, `tools`), for the table at its end. */
export class Ledger {
  private readonly tallies = new Map<string, Tally>()

  /** One artefact of a source. `size`: bytes. `transferred`: bytes that came over the network for it. */
  note(source: string, whence: Whence, size: number, transferred = 0): void {
    const tally = this.tallies.get(source) ?? {
      artefacts: 0,
      bytes: 0,
      downloaded: 0,
      downloadedBytes: 0,
      found: 0,
      refetched: 0,
    }
    const fetched = whence === 'downloaded' || whence === 'refetched'
    this.tallies.set(source, {
      artefacts: tally.artefacts + 1,
      bytes: tally.bytes + size,
      downloaded: tally.downloaded + (fetched ? 1 : 0),
      downloadedBytes: tally.downloadedBytes + transferred,
      found: tally.found + (fetched ? 0 : 1),
      refetched: tally.refetched + (whence === 'refetched' ? 1 : 0),
    })
  }

  /** In the order in which the sources were first noted. */
  get rows(): ReadonlyMap<string, Readonly<Tally>> {
    return this.tallies
  }

  get downloadedBytes(): number {
    return [...this.tallies.values()].reduce((sum, { downloadedBytes }) => sum + downloadedBytes, 0)
  }
}
