import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { type Readable, Writable } from 'node:stream'
import { formatSize } from '../units/size.ts'

/** Bytes that are surely kept of what is written to a log: its beginning, and its end. */
const BEGINNING = 1 << 20
const END = 4 << 20

/** A log that takes whatever is written to it, and keeps the beginning and the end: it never grows above a limit. */
export class BoundedLog extends Writable {
  /** Bytes that are no longer in it. */
  leftOut = 0
  readonly #path: string
  readonly #kept: { beginning: number; end: number }
  #file: FileHandle
  #size = 0
  /** Where what may be left out begins. */
  #from: number

  /** Begins a file anew. */
  static async begin(path: string, kept = { beginning: BEGINNING, end: END }): Promise<BoundedLog> {
    return new BoundedLog(path, kept, await open(path, 'w+'))
  }

  private constructor(path: string, kept: { beginning: number; end: number }, file: FileHandle) {
    super()
    this.#path = path
    this.#kept = kept
    this.#file = file
    this.#from = kept.beginning
  }

  /**
   * Keeps what somebody says. Where nothing can be written any more, whoever speaks is not to wait for that.
   *
   * @param lost told why, then
   */
  keep(said: Readable, lost: (why: string) => void): void {
    this.on('error', ({ message }) => {
      lost(message)
      said.resume()
    })
    said.pipe(this)
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error) => void): void {
    this.#append(Buffer.concat(chunks.map(({ chunk }) => chunk))).then(() => done(), done)
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error) => void): void {
    this.#append(chunk).then(() => done(), done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#file.close().then(() => done(error), done)
  }

  /** All that was written is in the file; Node's own would drop what is not yet. */
  override async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed) return
    const closed = new Promise((resolve) => this.once('close', resolve))
    this.end()
    await closed
  }

  async #append(bytes: Buffer): Promise<void> {
    await this.#file.write(bytes, 0, bytes.length, this.#size)
    this.#size += bytes.length
    if (this.#size > this.#from + 2 * this.#kept.end) await this.#shorten()
  }

  /** By another file in its place: whoever reads meanwhile finds one or the other, whole. */
  async #shorten(): Promise<void> {
    const { beginning, end } = this.#kept
    this.leftOut += this.#size - this.#from - end
    const mark = Buffer.from(`\n[${formatSize(this.leftOut)} left out here]\n`)
    const bytes = Buffer.alloc(beginning + mark.length + end)
    await this.#file.read(bytes, 0, beginning, 0)
    mark.copy(bytes, beginning)
    await this.#file.read(bytes, beginning + mark.length, end, this.#size - end)
    const part = `${this.#path}.part`
    const next = await open(part, 'w+')
    try {
      await next.write(bytes)
      await rename(part, this.#path)
    } catch (error) {
      await next.close()
      await rm(part, { force: true })
      throw error
    }
    await this.#file.close()
    this.#file = next
    this.#size = bytes.length
    this.#from = beginning + mark.length
  }
}
