/** Where a worker reads, and how it compresses. */
export interface GrainWorkerData {
  /** The raw disk. */
  disk: string
  grain: number
  sector: number
  marker: number
  level: number
}

/** A stretch of the disk to compress; `offset` is a multiple of the grain. Bytes. */
export interface Stretch {
  offset: number
  length: number
}

/** A stretch as it stands in a VMDK. */
export interface PackedStretch {
  /** Marker, compressed data and padding of every grain that is not all zeros, one after the other. */
  bytes: Uint8Array<ArrayBuffer>
  /** For each grain of the stretch the sectors it takes in `bytes`; 0 for one of zeros. */
  sectors: number[]
}

/**
 * What runs in each worker thread. Its *source text* is what a worker is started with ({@link GrainPool}): the
 * bundle has no second file to load a worker from, and the tests run from TypeScript. Therefore it refers to nothing
 * outside itself; modules come through `load`.
 */
export function grainWorker(load: NodeJS.Require): void {
  const { parentPort, workerData } = load('node:worker_threads') as typeof import('node:worker_threads')
  const { openSync, readSync } = load('node:fs') as typeof import('node:fs')
  const { deflateSync } = load('node:zlib') as typeof import('node:zlib')
  const { disk, grain, sector, marker, level } = workerData as GrainWorkerData
  const file = openSync(disk, 'r')
  const zeros = Buffer.alloc(grain)
  // A grain that cannot be compressed grows by a few bytes; one output buffer serves all cases at once.
  const options = { level, memLevel: 8, chunkSize: grain + 4 * sector }

  parentPort!.on('message', ({ offset, length }: Stretch) => {
    const input = Buffer.alloc(Math.ceil(length / grain) * grain)
    let filled = 0
    while (filled < length) {
      const read = readSync(file, input, filled, length - filled, offset + filled)
      if (read === 0) break
      filled += read
    }
    const count = input.length / grain
    const packed = Buffer.alloc(count * (grain + 4 * sector))
    const sectors: number[] = []
    let end = 0
    for (let index = 0; index < count; index++) {
      const data = input.subarray(index * grain, (index + 1) * grain)
      if (data.equals(zeros)) {
        sectors.push(0)
        continue
      }
      const compressed = deflateSync(data, options)
      packed.writeBigUInt64LE(BigInt((offset + index * grain) / sector), end)
      packed.writeUInt32LE(compressed.length, end + 8)
      compressed.copy(packed, end + marker)
      const size = Math.ceil((marker + compressed.length) / sector)
      sectors.push(size)
      end += size * sector
    }
    const bytes = new Uint8Array(packed.buffer.slice(packed.byteOffset, packed.byteOffset + end))
    parentPort!.postMessage({ bytes, sectors }, [bytes.buffer])
  })
}
