import { mkdtemp, rm } from 'node:fs/promises'

const macsInUse = new Set<string>()

/** What a machine leaves behind, taken away in reverse. */
export class Cleanup {
  readonly #opened: AsyncDisposable[] = []

  use<T extends AsyncDisposable>(resource: T): T {
    this.#opened.push(resource)
    return resource
  }

  async folder(prefix: string): Promise<string> {
    const folder = await mkdtemp(prefix)
    this.use({ [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) })
    return folder
  }

  /** The MAC asked for, or the first of ours that no machine of this process has. */
  claimMac(wanted?: string): string {
    let mac = wanted
    for (let n = 0x10; mac === undefined; n++) {
      const candidate = `52:54:00:77:00:${n.toString(16)}`
      if (!macsInUse.has(candidate)) mac = candidate
    }
    const claimed = mac
    macsInUse.add(claimed)
    this.use({ [Symbol.asyncDispose]: async () => void macsInUse.delete(claimed) })
    return claimed
  }

  async close(): Promise<void> {
    while (this.#opened.length > 0) await this.#opened.pop()![Symbol.asyncDispose]()
  }
}
