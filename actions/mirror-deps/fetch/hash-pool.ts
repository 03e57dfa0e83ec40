import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'

interface Job {
  path: string
  resolve(sha256: string): void
  reject(error: Error): void
}

/** What a thread answers. */
type Answer = { sha256: string } | { error: string; code: string }

/**
 * Threads that read and digest files, started when they are first needed: hashing is what bounds a verification,
 * and one thread of ours is one core.
 */
export class HashPool implements AsyncDisposable {
  readonly #threads: number
  readonly #workers: Worker[] = []
  readonly #idle: Worker[] = []
  readonly #running = new Map<Worker, Job>()
  readonly #waiting: Job[] = []
  readonly #signal: AbortSignal
  readonly #stop = () => void this[Symbol.asyncDispose]()
  #failure: Error | undefined

  /** @param signal aborting it stops the threads in the middle of a file */
  constructor(signal: AbortSignal, threads = availableParallelism()) {
    this.#signal = signal
    this.#threads = threads
    signal.addEventListener('abort', this.#stop, { once: true })
  }

  /** SHA-256 of a file, lower-case hex. */
  async sha256(path: string): Promise<string> {
    this.#signal.throwIfAborted()
    return await new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure)
      this.#waiting.push({ path, resolve, reject })
      this.#dispatch()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener('abort', this.#stop)
    this.#fail(this.#signal.aborted ? this.#signal.reason : new Error('the hash pool is closed'))
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      if (this.#idle.length === 0 && this.#workers.length < this.#threads) this.#start()
      const worker = this.#idle.pop()
      if (!worker) return
      const job = this.#waiting.shift()!
      this.#running.set(worker, job)
      worker.postMessage(job.path)
    }
  }

  #start(): void {
    const worker = new Worker(`(${hashWorker})(require)`, { eval: true, execArgv: [] })
    worker.on('message', (answer: Answer) => {
      const job = this.#running.get(worker)
      this.#running.delete(worker)
      this.#idle.push(worker)
      if ('sha256' in answer) job?.resolve(answer.sha256)
      else job?.reject(Object.assign(new Error(answer.error), { code: answer.code, path: job.path }))
      this.#dispatch()
    })
    worker.on('error', (error) => this.#fail(error as Error))
    this.#workers.push(worker)
    this.#idle.push(worker)
  }

  #fail(error: Error): void {
    this.#failure ??= error
    for (const job of [...this.#running.values(), ...this.#waiting.splice(0)]) job.reject(error)
    this.#running.clear()
  }
}

/**
 * What runs in each thread. Its *source text* is what a thread is started with, because the bundle has no second
 * file to load it from. Therefore it refers to nothing outside itself; modules come through `load`.
 */
function hashWorker(load: NodeJS.Require): void {
  const { parentPort } = load('node:worker_threads') as typeof import('node:worker_threads')
  const { createHash } = load('node:crypto') as typeof import('node:crypto')
  const { closeSync, openSync, readSync } = load('node:fs') as typeof import('node:fs')
  // As much as stays in a core's cache between reading and hashing.
  const buffer = Buffer.allocUnsafeSlow(256 << 10)

  parentPort!.on('message', (path: string) => {
    try {
      parentPort!.postMessage({ sha256: digest(path) })
    } catch (error) {
      const { message, code } = error as NodeJS.ErrnoException
      parentPort!.postMessage({ error: message, code })
    }
  })

  function digest(path: string): string {
    const file = openSync(path, 'r')
    try {
      const hash = createHash('sha256')
      for (;;) {
        const read = readSync(file, buffer, 0, buffer.length, null)
        if (read === 0) return hash.digest('hex')
        hash.update(read === buffer.length ? buffer : buffer.subarray(0, read))
      }
    } finally {
      closeSync(file)
    }
  }
}
