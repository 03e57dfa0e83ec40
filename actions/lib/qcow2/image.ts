/**
 * The numbers of a compressed qcow2 image, version 3.
 *
 * @see https://www.qemu.org/docs/master/interop/qcow2.html
 */
export const CLUSTER = 1 << 16
const SECTOR = 512

/** Entries of 8 bytes in an L2 table, of 2 bytes in a block of reference counts: one cluster each. */
const L2_ENTRIES = CLUSTER / 8
const BLOCK_ENTRIES = CLUSTER / 2

const COPIED = 1n << 63n
const COMPRESSED = 1n << 62n
/** Where a compressed cluster's count of further sectors begins: 62 - (cluster bits - 8). */
const SECTORS_AT = 54n

export function alignedToCluster(bytes: number): number {
  return Math.ceil(bytes / CLUSTER) * CLUSTER
}

/** What is where in the image: filled while its data is written, and then written itself. */
export class ClusterIndex {
  readonly #capacity: number
  readonly #l1: BigUint64Array
  readonly #l2 = new Map<number, Buffer>()
  #counts = new Uint16Array(1024)

  constructor(capacity: number) {
    this.#capacity = capacity
    this.#l1 = new BigUint64Array(Math.ceil(capacity / (CLUSTER * L2_ENTRIES)))
    this.#count(0, this.dataAt)
  }

  /** Where data begins: behind header and L1 table. */
  get dataAt(): number {
    return CLUSTER + alignedToCluster(this.#l1.length * 8)
  }

  /**
   * Places a cluster of the disk.
   *
   * @param offset in the image; of a cluster's boundary for one that is not compressed
   * @param size bytes; {@link CLUSTER} for one that is not compressed
   */
  place(cluster: number, offset: number, size: number): void {
    const further = Math.floor((offset + size - 1) / SECTOR) - Math.floor(offset / SECTOR)
    const entry =
      size === CLUSTER
        ? BigInt(offset) | COPIED
        : BigInt(offset) | (BigInt(further) << SECTORS_AT) | COMPRESSED
    this.#table(Math.floor(cluster / L2_ENTRIES)).writeBigUInt64BE(entry, (cluster % L2_ENTRIES) * 8)
    this.#count(offset, size)
  }

  #table(index: number): Buffer {
    let table = this.#l2.get(index)
    if (!table) {
      table = Buffer.alloc(CLUSTER)
      this.#l2.set(index, table)
    }
    return table
  }

  /** One more reference to every cluster of the image that the bytes lie in. */
  #count(offset: number, size: number): void {
    const last = Math.floor((offset + size - 1) / CLUSTER)
    if (last >= this.#counts.length) {
      const larger = new Uint16Array(2 * last)
      larger.set(this.#counts)
      this.#counts = larger
    }
    for (let cluster = Math.floor(offset / CLUSTER); cluster <= last; cluster++) this.#counts[cluster]!++
  }

  /**
   * What follows the data, and what stands before it.
   *
   * @param end of the data: a multiple of {@link CLUSTER}
   */
  finish(end: number): { head: Buffer; tail: Buffer[] } {
    const tables = [...this.#l2].sort(([a], [b]) => a - b)
    for (const [position, [index]] of tables.entries())
      this.#l1[index] = BigInt(end + position * CLUSTER) | COPIED
    const countsAt = end + tables.length * CLUSTER
    // Counts are counted themselves, with the table that leads to them.
    const clusters = countsAt / CLUSTER
    let blocks = 0
    let tableClusters = 0
    for (let total = -1; total !== blocks + tableClusters; ) {
      total = blocks + tableClusters
      blocks = Math.ceil((clusters + total) / BLOCK_ENTRIES)
      tableClusters = Math.ceil((blocks * 8) / CLUSTER)
    }
    this.#count(end, countsAt - end + (tableClusters + blocks) * CLUSTER)
    const table = Buffer.alloc(tableClusters * CLUSTER)
    const counts = Buffer.alloc(blocks * CLUSTER)
    for (let block = 0; block < blocks; block++)
      table.writeBigUInt64BE(BigInt(countsAt + (tableClusters + block) * CLUSTER), block * 8)
    for (const [cluster, count] of this.#counts.subarray(0, blocks * BLOCK_ENTRIES).entries())
      if (count > 0) counts.writeUInt16BE(count, cluster * 2)
    return {
      head: this.#head(countsAt, tableClusters),
      tail: [...tables.map(([, bytes]) => bytes), table, counts],
    }
  }

  #head(countsAt: number, countsClusters: number): Buffer {
    const head = Buffer.alloc(this.dataAt)
    head.write('QFI\xfb', 0, 'latin1')
    head.writeUInt32BE(3, 4)
    head.writeUInt32BE(Math.log2(CLUSTER), 20)
    head.writeBigUInt64BE(BigInt(this.#capacity), 24)
    head.writeUInt32BE(this.#l1.length, 36)
    head.writeBigUInt64BE(BigInt(CLUSTER), 40)
    head.writeBigUInt64BE(BigInt(countsAt), 48)
    head.writeUInt32BE(countsClusters, 56)
    // Reference counts of 1 << 4 bits; the header's own length; then no extensions.
    head.writeUInt32BE(4, 96)
    head.writeUInt32BE(104, 100)
    for (const [index, entry] of this.#l1.entries()) head.writeBigUInt64BE(entry, CLUSTER + index * 8)
    return head
  }
}
