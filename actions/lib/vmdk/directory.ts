import { inflateSync } from 'node:zlib'
import type { Bytes } from '../files/bytes.ts'
import type { NoteFault } from './fault.ts'
import type { SparseHeader } from './header.ts'
import { GRAIN_MARKER, SECTOR } from './vmdk.ts'

/** Grains kept unpacked for those who read the disk here and there: 4 MiB of 64 KiB each. */
const KEPT_GRAINS = 64
const KEPT_TABLES = 64

/** Grain directory and tables: where each grain of the disk lies. Tables are read when they are asked for. */
export class GrainDirectory {
  readonly #bytes: Bytes
  readonly #header: SparseHeader
  /** The directory itself. */
  readonly #at: number
  readonly #tables = new Map<number, Buffer>()
  readonly #grains = new Map<number, Buffer>()

  private constructor(bytes: Bytes, header: SparseHeader, at: number) {
    this.#bytes = bytes
    this.#header = header
    this.#at = at
  }

  /** @returns undefined where the directory does not fit into the file */
  static async open(
    bytes: Bytes,
    header: SparseHeader,
    sector: number,
    fault: NoteFault,
  ): Promise<GrainDirectory | undefined> {
    const directory = new GrainDirectory(bytes, header, sector * SECTOR)
    if (sector > 0 && sector * SECTOR + directory.#entries * 4 <= bytes.size) return directory
    fault(
      'vmdk-directory',
      sector * SECTOR,
      `${directory.#entries} entries do not fit into ${bytes.size} bytes`,
    )
    return undefined
  }

  get #span(): number {
    return this.#header.grain * this.#header.entriesPerTable
  }

  get #entries(): number {
    return Math.ceil(this.#header.capacity / this.#span)
  }

  /** Holds every entry to the grain it points to. @returns how many there are */
  async check(fault: NoteFault, signal: AbortSignal): Promise<number> {
    const { grain, entriesPerTable, capacity } = this.#header
    let pointed = 0
    for (let index = 0; index < this.#entries; index++) {
      signal.throwIfAborted()
      const table = await this.#table(index)
      if (table === undefined) continue
      if (table.length < entriesPerTable * 4) {
        fault('vmdk-directory', this.#at + index * 4, `table ${index} lies beyond the end of the file`)
        continue
      }
      for (let entry = 0; entry < entriesPerTable; entry++) {
        const sector = table.readUInt32LE(entry * 4)
        if (sector === 0) continue
        pointed++
        const wanted = index * this.#span + entry * grain
        const marker = await this.#bytes.read(sector * SECTOR, GRAIN_MARKER)
        const found = marker.length < GRAIN_MARKER ? undefined : Number(marker.readBigUInt64LE(0)) * SECTOR
        if (found === wanted && wanted < capacity && marker.readUInt32LE(8) > 0) continue
        fault(
          'vmdk-table',
          sector * SECTOR,
          `entry ${entry} of table ${index} points to no grain of sector ${wanted / SECTOR}`,
        )
      }
    }
    return pointed
  }

  /** The guest's disk. Reading a damaged grain throws. */
  disk(): Bytes {
    const { capacity, grain } = this.#header
    const read = async (at: number, length: number): Promise<Buffer> => {
      const end = Math.min(at + length, capacity)
      const pieces: Buffer[] = []
      for (let position = at; position < end; ) {
        const index = Math.floor(position / grain)
        const data = await this.#grain(index)
        const from = position - index * grain
        const piece = data.subarray(from, Math.min(grain, from + end - position))
        pieces.push(piece)
        position += piece.length
      }
      return Buffer.concat(pieces)
    }
    return { size: capacity, read }
  }

  async #grain(index: number): Promise<Buffer> {
    const { grain, entriesPerTable } = this.#header
    const kept = this.#grains.get(index)
    if (kept) return kept
    const table = await this.#table(Math.floor(index / entriesPerTable))
    const entry = (index % entriesPerTable) * 4
    const sector = table && table.length >= entry + 4 ? table.readUInt32LE(entry) : 0
    const data = Buffer.alloc(grain)
    if (sector > 0) {
      const marker = await this.#bytes.read(sector * SECTOR, GRAIN_MARKER)
      const size = marker.length < GRAIN_MARKER ? 0 : Math.min(marker.readUInt32LE(8), grain * 2)
      const packed = await this.#bytes.read(sector * SECTOR + GRAIN_MARKER, size)
      inflateSync(packed, { maxOutputLength: grain }).copy(data)
    }
    keep(this.#grains, index, data, KEPT_GRAINS)
    return data
  }

  /** undefined where no grain of the table has data. */
  async #table(index: number): Promise<Buffer | undefined> {
    const kept = this.#tables.get(index)
    if (kept) return kept
    const entry = await this.#bytes.read(this.#at + index * 4, 4)
    const sector = entry.length < 4 ? 0 : entry.readUInt32LE(0)
    if (sector === 0) return undefined
    const table = Buffer.from(await this.#bytes.read(sector * SECTOR, this.#header.entriesPerTable * 4))
    keep(this.#tables, index, table, KEPT_TABLES)
    return table
  }
}

/** Forgets the oldest beyond `most`. */
function keep<T>(cache: Map<number, T>, key: number, value: T, most: number): void {
  cache.set(key, value)
  if (cache.size > most) cache.delete(cache.keys().next().value!)
}
