import { Worker } from 'node:worker_threads'
import { dataExtents, type Extent } from '../lib/disk/extents.ts'
import { imageFormat } from '../lib/disk/image.ts'
import { run } from '../lib/process/command.ts'

/** Writes a disk image (qcow2 with all it is an overlay of, vmdk, raw) as a sparse raw disk. */
export async function toRaw(image: string, raw: string, signal: AbortSignal): Promise<void> {
  const format = await imageFormat(image)
  await run('qemu-img', ['convert', '-q', '-f', format, '-O', 'raw', '-S', '4k', image, raw], { signal })
}

/**
 * SHA-256 of a raw disk in hex, holes and all: the appliance's primary identity. In a thread of its own, since
 * empty space costs as much as data.
 */
export async function rawSha256(disk: string, size: number, signal: AbortSignal): Promise<string> {
  const workerData: DigestWorkerData = { disk, size, extents: await dataExtents(disk, signal) }
  signal.throwIfAborted()
  const worker = new Worker(`(${digestWorker})(require)`, { eval: true, workerData, execArgv: [] })
  const stop = () => void worker.terminate()
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await new Promise<string>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
      worker.once('exit', () => reject(signal.reason ?? new Error('the digest thread ended early')))
    })
  } finally {
    signal.removeEventListener('abort', stop)
    await worker.terminate()
  }
}

interface DigestWorkerData {
  disk: string
  size: number
  extents: Extent[]
}

/** Runs in a thread, from its source text, as `grainWorker` does: refers to nothing outside itself. */
function digestWorker(load: NodeJS.Require): void {
  const { parentPort, workerData } = load('node:worker_threads') as typeof import('node:worker_threads')
  const { createHash } = load('node:crypto') as typeof import('node:crypto')
  const { openSync, readSync } = load('node:fs') as typeof import('node:fs')
  const { disk, size, extents } = workerData as DigestWorkerData
  const file = openSync(disk, 'r')
  const hash = createHash('sha256')
  const buffer = Buffer.alloc(1 << 20)
  const zeros = Buffer.alloc(1 << 20)
  let at = 0
  for (const { start, length } of [...extents, { start: size, length: 0 }]) {
    while (at < start) {
      const part = Math.min(zeros.length, start - at)
      hash.update(zeros.subarray(0, part))
      at += part
    }
    for (const end = Math.min(start + length, size); at < end; ) {
      const read = readSync(file, buffer, 0, Math.min(buffer.length, end - at), at)
      if (read === 0) throw new Error(`${disk} ended at byte ${at}`)
      hash.update(buffer.subarray(0, read))
      at += read
    }
  }
  parentPort!.postMessage(hash.digest('hex'))
}
