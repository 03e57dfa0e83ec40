import { Worker } from 'node:worker_threads'
import { type GrainWorkerData, grainWorker, type PackedStretch, type Stretch } from './grain-worker.ts'
import { GRAIN, GRAIN_MARKER, SECTOR } from './vmdk.ts'

interface Job {
  stretch: Stretch
  resolve(packed: PackedStretch): void
  reject(error: Error): void
}

/**
 * Threads that read and compress stretches of a raw disk. Results come back in the order asked for, whatever the
 * number of threads, so the bytes are the same for any.
 */
export class GrainPool implements AsyncDisposable {
  readonly #workers: Worker[]
  readonly #idle: Worker[]
  readonly #waiting: Job[] = []
  readonly #running = new Map<Worker, Job>()
  #failure: Error | undefined

  /** @param level of zlib, 1 to 9 */
  constructor(disk: string, threads: number, level: number) {
    const workerData: GrainWorkerData = { disk, grain: GRAIN, sector: SECTOR, marker: GRAIN_MARKER, level }
    this.#workers = Array.from({ length: threads }, () => this.#start(workerData))
    this.#idle = [...this.#workers]
  }

  /**
   * Compresses the stretches. At most three a thread are under way or waiting to be taken, so memory stays bounded
   * however slowly the results are taken.
   */
  async *pack(
    stretches: Iterable<Stretch>,
    signal: AbortSignal,
  ): AsyncGenerator<{ stretch: Stretch; packed: PackedStretch }> {
    const ahead: { stretch: Stretch; packed: Promise<PackedStretch> }[] = []
    const limit = this.#workers.length * 3
    const next = async () => {
      const { stretch, packed } = ahead.shift()!
      const result = await packed
      signal.throwIfAborted()
      return { stretch, packed: result }
    }
    for (const stretch of stretches) {
      const packed = this.#submit(stretch)
      packed.catch(() => {}) // seen when its turn comes, or not at all after an earlier failure
      ahead.push({ stretch, packed })
      if (ahead.length >= limit) yield await next()
    }
    while (ahead.length > 0) yield await next()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#failure ??= new Error('the grain pool is closed')
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  #start(workerData: GrainWorkerData): Worker {
    const worker = new Worker(`(${grainWorker})(require)`, { eval: true, workerData, execArgv: [] })
    worker.on('message', (packed: PackedStretch) => {
      this.#running.get(worker)?.resolve(packed)
      this.#running.delete(worker)
      this.#idle.push(worker)
      this.#dispatch()
    })
    worker.on('error', (error) => this.#fail(error))
    return worker
  }

  #submit(stretch: Stretch): Promise<PackedStretch> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure)
      this.#waiting.push({ stretch, resolve, reject })
      this.#dispatch()
    })
  }

  #dispatch(): void {
    while (this.#idle.length > 0 && this.#waiting.length > 0) {
      const worker = this.#idle.pop()!
      const job = this.#waiting.shift()!
      this.#running.set(worker, job)
      worker.postMessage(job.stretch)
    }
  }

  #fail(error: Error): void {
    this.#failure = error
    for (const job of [...this.#running.values(), ...this.#waiting.splice(0)]) job.reject(error)
    this.#running.clear()
  }
}
