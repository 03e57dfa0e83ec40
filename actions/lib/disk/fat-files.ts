import { type Bytes, partOf } from '../files/bytes.ts'

const MOST_CLUSTERS = 4096

/**
 * Finds files in a FAT file system (an EFI system partition) by their short names, as firmware does.
 *
 * @see Microsoft EFI FAT32 File System Specification 1.03
 */
export class FatFiles {
  readonly #bytes: Bytes
  readonly #boot: Buffer
  readonly #bits: 12 | 16 | 32
  readonly #rootStart: number
  readonly #dataStart: number

  private constructor(bytes: Bytes, boot: Buffer) {
    this.#bytes = bytes
    this.#boot = boot
    const sector = boot.readUInt16LE(11)
    const perFat = boot.readUInt16LE(22) || boot.readUInt32LE(36)
    this.#rootStart = (boot.readUInt16LE(14) + boot[16]! * perFat) * sector
    this.#dataStart = this.#rootStart + Math.ceil((boot.readUInt16LE(17) * 32) / sector) * sector
    const sectors = boot.readUInt16LE(19) || boot.readUInt32LE(32)
    const clusters = (sectors * sector - this.#dataStart) / this.#clusterSize
    this.#bits = clusters < 4085 ? 12 : clusters < 65_525 ? 16 : 32
  }

  static async open(disk: Bytes, start: number, length: number): Promise<FatFiles | undefined> {
    const bytes = partOf(disk, start, length)
    const boot = await bytes.read(0, 512)
    if (boot.length < 512 || boot.readUInt16LE(510) !== 0xaa55) return undefined
    const [sector, cluster] = [boot.readUInt16LE(11), boot[13]!]
    if (![512, 1024, 2048, 4096].includes(sector) || cluster === 0 || boot[16] === 0) return undefined
    return new FatFiles(bytes, boot)
  }

  get #clusterSize(): number {
    return this.#boot.readUInt16LE(11) * this.#boot[13]!
  }

  /** Size of the file at a path such as `EFI/BOOT/BOOTX64.EFI`; undefined where there is none. Case does not count. */
  async sizeOf(path: string): Promise<number | undefined> {
    let cluster = this.#bits === 32 ? this.#boot.readUInt32LE(44) : 0
    const names = path.toUpperCase().split('/')
    for (const [index, name] of names.entries()) {
      const entry = await this.#entry(cluster, name)
      if (!entry) return undefined
      if (index === names.length - 1) return entry.readUInt32LE(28)
      if ((entry[11]! & 0x10) === 0) return undefined
      cluster = entry.readUInt16LE(20) * 65_536 + entry.readUInt16LE(26)
    }
    return undefined
  }

  async #entry(cluster: number, name: string): Promise<Buffer | undefined> {
    const [stem, extension = ''] = name.split('.') as [string, string?]
    const short = stem.padEnd(8) + extension.padEnd(3)
    for await (const block of this.#folder(cluster))
      for (let at = 0; at + 32 <= block.length; at += 32) {
        if (block[at] === 0) return undefined
        if (block[at + 11] !== 0x0f && block.toString('latin1', at, at + 11) === short)
          return block.subarray(at, at + 32)
      }
    return undefined
  }

  /** Cluster 0 is the root of FAT12 and FAT16, which lies before the clusters. */
  async *#folder(first: number): AsyncGenerator<Buffer> {
    if (first === 0) {
      yield await this.#bytes.read(this.#rootStart, Math.min(this.#dataStart - this.#rootStart, 1 << 20))
      return
    }
    let cluster = first
    for (let count = 0; count < MOST_CLUSTERS && cluster >= 2 && cluster < 0x0fff_fff0; count++) {
      yield await this.#bytes.read(this.#dataStart + (cluster - 2) * this.#clusterSize, this.#clusterSize)
      cluster = await this.#next(cluster)
    }
  }

  async #next(cluster: number): Promise<number> {
    const fat = this.#boot.readUInt16LE(14) * this.#boot.readUInt16LE(11)
    const end = 0x0fff_ffff
    if (this.#bits === 32) {
      const entry = await this.#bytes.read(fat + cluster * 4, 4)
      return entry.length < 4 ? end : entry.readUInt32LE(0) & end
    }
    if (this.#bits === 16) {
      const entry = await this.#bytes.read(fat + cluster * 2, 2)
      const next = entry.length < 2 ? 0xffff : entry.readUInt16LE(0)
      return next >= 0xfff0 ? end : next
    }
    const entry = await this.#bytes.read(fat + Math.floor(cluster * 1.5), 2)
    if (entry.length < 2) return end
    const next = cluster % 2 === 0 ? entry.readUInt16LE(0) & 0xfff : entry.readUInt16LE(0) >> 4
    return next >= 0xff0 ? end : next
  }
}
