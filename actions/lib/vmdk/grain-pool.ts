import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import {
  type GrainWorkerData,
  grainWorker,
  type PackedStretch,
  type Packing,
  type Stretch,
  type StretchDigest,
  type Task,
} from './grain-worker.ts'
import { GRAIN, GRAIN_MARKER, SECTOR } from './vmdk.ts'

/** What one thread takes at a time: divides the span of a VMDK's grain table, so that no stretch crosses two. */
export const STRETCH = 1 << 20

/** zlib's usual level: 5 is a fifth quicker than 6 for half a percent in size (`script/bench pack`). */
export const LEVEL = 5

/** More threads than this would take us past our memory, not past the disk's speed. */
const MOST_THREADS = 8

/** @param wanted default: one a core */
export function threadsFor(stretches: number, wanted = availableParallelism()): number {
  return Math.min(wanted, MOST_THREADS, Math.max(stretches, 1))
}

interface Job {
  stretch: Stretch
  task: Task
  resolve(result: unknown): void
  reject(error: Error): void
}

/**
 * Threads that read, compress and digest stretches of a raw disk. Results come back in the order asked for, so they
 * are the same for any number of threads.
 */
export class GrainPool implements AsyncDisposable {
  readonly #workers: Worker[]
  readonly #idle: Worker[]
  readonly #waiting: Job[] = []
  readonly #running = new Map<Worker, Job>()
  #failure: Error | undefined

  /** @param level of zlib, 1 to 9 */
  constructor(disk: string, packing: Packing, threads: number, level: number) {
    const sizes = { grain: GRAIN, sector: SECTOR, marker: GRAIN_MARKER }
    const workerData: GrainWorkerData = { disk, packing, ...sizes, level }
    this.#workers = Array.from({ length: threads }, () => this.#start(workerData))
    this.#idle = [...this.#workers]
  }

  /** Compresses the stretches, in their order. */
  pack(stretches: Iterable<Stretch>, signal: AbortSignal): AsyncGenerator<Answer<PackedStretch>> {
    return this.#inOrder<PackedStretch>('pack', stretches, signal)
  }

  /** Digests the stretches, in their order. */
  digest(stretches: Iterable<Stretch>, signal: AbortSignal): AsyncGenerator<Answer<StretchDigest>> {
    return this.#inOrder<StretchDigest>('digest', stretches, signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#failure ??= new Error('the grain pool is closed')
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  /**
   * At most three stretches a thread are under way or waiting to be taken: memory stays bounded however slowly the
   * results are taken.
   */
  async *#inOrder<T>(
    task: Task,
    stretches: Iterable<Stretch>,
    signal: AbortSignal,
  ): AsyncGenerator<Answer<T>> {
    const ahead: { stretch: Stretch; result: Promise<unknown> }[] = []
    const next = async (): Promise<Answer<T>> => {
      const { stretch, result } = ahead.shift()!
      const answer = { stretch, result: (await result) as T }
      signal.throwIfAborted()
      return answer
    }
    for (const stretch of stretches) {
      const result = this.#submit(stretch, task)
      result.catch(() => {}) // seen when its turn comes, or not at all after an earlier failure
      ahead.push({ stretch, result })
      if (ahead.length >= this.#workers.length * 3) yield await next()
    }
    while (ahead.length > 0) yield await next()
  }

  #start(workerData: GrainWorkerData): Worker {
    const worker = new Worker(`(${grainWorker})(require)`, { eval: true, workerData, execArgv: [] })
    worker.on('message', (result: unknown) => {
      this.#running.get(worker)?.resolve(result)
      this.#running.delete(worker)
      this.#idle.push(worker)
      this.#dispatch()
    })
    worker.on('error', (error) => this.#fail(error))
    return worker
  }

  #submit(stretch: Stretch, task: Task): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure)
      this.#waiting.push({ stretch, task, resolve, reject })
      this.#dispatch()
    })
  }

  #dispatch(): void {
    while (this.#idle.length > 0 && this.#waiting.length > 0) {
      const worker = this.#idle.pop()!
      const job = this.#waiting.shift()!
      this.#running.set(worker, job)
      worker.postMessage({ stretch: job.stretch, task: job.task })
    }
  }

  #fail(error: Error): void {
    this.#failure = error
    for (const job of [...this.#running.values(), ...this.#waiting.splice(0)]) job.reject(error)
    this.#running.clear()
  }
}

export interface Answer<T> {
  stretch: Stretch
  result: T
}
