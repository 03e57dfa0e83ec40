/** As what grains are compressed. */
export type Packing = 'vmdk' | 'qcow2'

/** Where a worker reads, and how it compresses. */
export interface GrainWorkerData {
  packing: Packing
  /** The raw disk. */
  disk: string
  /** Bytes of a grain, a sector, and of the marker before a grain's data. */
  grain: number
  sector: number
  marker: number
  /** zlib's. */
  level: number
}

/** A stretch of the disk; `offset` is a multiple of the grain. Bytes. */
export interface Stretch {
  offset: number
  length: number
}

/** What is to be done with a stretch. */
export type Task = 'pack' | 'digest'

/** A stretch as it stands in a VMDK or a qcow2. */
export interface PackedStretch {
  /**
   * Every grain that is not all zeros, one after the other: in a VMDK marker, zlib's data and padding to whole
   * sectors; in a qcow2 deflated data, or the grain as it is where that would not be less.
   */
  bytes: Uint8Array<ArrayBuffer>
  /** For each grain of the stretch the bytes it takes in `bytes`; 0 for one of zeros. */
  sizes: number[]
}

/** SHA-256 in hex; undefined for a stretch of zeros. */
export type StretchDigest = string | undefined

/**
 * What runs in each worker thread. Its *source text* is what a worker is started with ({@link GrainPool}): the
 * bundle has no second file to load a worker from, and the tests run from TypeScript. Therefore it refers to nothing
 * outside itself; modules come through `load`.
 */
export function grainWorker(load: NodeJS.Require): void {
  const { parentPort, workerData } = load('node:worker_threads') as typeof import('node:worker_threads')
  const { createHash } = load('node:crypto') as typeof import('node:crypto')
  const { openSync, readSync } = load('node:fs') as typeof import('node:fs')
  const { setFlagsFromString } = load('node:v8') as typeof import('node:v8')
  const { runInNewContext } = load('node:vm') as typeof import('node:vm')
  const { deflateSync, deflateRawSync } = load('node:zlib') as typeof import('node:zlib')
  const { packing, disk, grain, sector, marker, level } = workerData as GrainWorkerData
  const file = openSync(disk, 'r')
  const zeros = Buffer.alloc(grain)
  // A grain that cannot be compressed grows by a few bytes.
  const room = grain + 4 * sector
  // Level of memory 8 is zlib's usual one: as quick as 9 here, and a little smaller. Most grains become less than half.
  const chunkSize = grain / 2
  const options = { level, memLevel: 8, chunkSize }
  // One buffer each for all stretches: the collector is in no hurry with what lies outside of its heap.
  let input = Buffer.alloc(0)
  let packed = Buffer.alloc(0)

  // Node frees what deflateSync wrote into only in a full collection, for which it waits until 64 MB. One takes about
  // 6 ms, half as long as a stretch: after every fourth they would cost a tenth of all.
  const collectAt = 4 << 20
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  let wasted = 0

  parentPort!.on('message', ({ stretch, task }: { stretch: Stretch; task: Task }) => {
    const grains = grainsOf(stretch)
    if (task === 'digest') parentPort!.postMessage(digest(grains))
    else {
      const packed = pack(grains, stretch.offset)
      parentPort!.postMessage(packed, [packed.bytes.buffer])
      if (wasted < collectAt) return
      collect()
      wasted = 0
    }
  })

  /** The stretch in grains, those of zeros undefined. */
  function grainsOf({ offset, length }: Stretch): (Buffer | undefined)[] {
    const size = Math.ceil(length / grain) * grain
    if (input.length !== size) {
      input = Buffer.alloc(size)
      packed = Buffer.alloc((size / grain) * room)
    }
    for (let filled = 0; filled < length; ) {
      const read = readSync(file, input, filled, length - filled, offset + filled)
      if (read === 0) break
      filled += read
    }
    return Array.from({ length: size / grain }, (_, index) => {
      const data = input.subarray(index * grain, (index + 1) * grain)
      return data.equals(zeros) ? undefined : data
    })
  }

  function digest(grains: (Buffer | undefined)[]): StretchDigest {
    if (grains.every((data) => data === undefined)) return undefined
    const hash = createHash('sha256')
    for (const data of grains) hash.update(data ?? zeros)
    return hash.digest('hex')
  }

  function pack(grains: (Buffer | undefined)[], offset: number): PackedStretch {
    let end = 0
    const sizes = grains.map((data, index) => {
      if (data === undefined) return 0
      const at = end
      end += packing === 'vmdk' ? packForVmdk(data, offset + index * grain, at) : packForQcow2(data, at)
      return end - at
    })
    return { bytes: new Uint8Array(packed.buffer.slice(packed.byteOffset, packed.byteOffset + end)), sizes }
  }

  function packForVmdk(data: Buffer, offset: number, at: number): number {
    const compressed = used(deflateSync(data, options))
    packed.writeBigUInt64LE(BigInt(offset / sector), at)
    packed.writeUInt32LE(compressed.length, at + 8)
    compressed.copy(packed, at + marker)
    const size = Math.ceil((marker + compressed.length) / sector) * sector
    packed.fill(0, at + marker + compressed.length, at + size)
    return size
  }

  /** Counts what it was written into: chunks, and where they are several, one for all of them. */
  function used(compressed: Buffer): Buffer {
    const chunks = Math.ceil(compressed.length / chunkSize)
    wasted += chunks * chunkSize + (chunks > 1 ? compressed.length : 0)
    return compressed
  }

  /** QEMU inflates with a window of 4 KiB (block/qcow2-threads.c). */
  function packForQcow2(data: Buffer, at: number): number {
    const compressed = used(deflateRawSync(data, { ...options, windowBits: 12 }))
    const shorter = compressed.length < grain ? compressed : data
    shorter.copy(packed, at)
    return shorter.length
  }
}
