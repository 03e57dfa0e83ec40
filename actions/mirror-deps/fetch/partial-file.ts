import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { makeFolder } from './folder.ts'

/** From where the bytes of a partial file are, and how to ask whether they still are those. */
export interface Mark {
  url: string
  /** A strong ETag, or a date that is as good as one; see {@link Answer}. */
  validator?: string
}

/**
 * A file on its way. What has arrived is on the disk, hashed, and stays there whatever happens, beside a note of
 * where it is from (`<path>.json`), so that a later attempt, or a later run, goes on from there.
 */
export class PartialFile {
  readonly path: string
  private readonly file: FileHandle
  private hash: Hash
  private length = 0
  private noted: Mark | undefined
  /** From how many answers its bytes are; what an earlier run left counts as one. */
  private parts = 0
  /** Whether there may be a note. */
  private hasNote = false

  private constructor(path: string, file: FileHandle) {
    this.path = path
    this.file = file
    this.hash = createHash('sha256')
  }

  /** What is there of it already is read, and hashed, again. */
  static async open(path: string, signal: AbortSignal): Promise<PartialFile> {
    await makeFolder(dirname(path))
    const existed = await stat(path).then(
      () => true,
      () => false,
    )
    const partial = new PartialFile(path, await open(path, 'a'))
    try {
      if (existed) await partial.readAgain(signal)
    } catch (error) {
      await partial.close()
      throw error
    }
    return partial
  }

  get size(): number {
    return this.length
  }

  /** Where its bytes are from. */
  get mark(): Mark | undefined {
    return this.length > 0 ? this.noted : undefined
  }

  /** Whether its bytes are from several answers, which might not belong together. */
  get pieced(): boolean {
    return this.parts > 1
  }

  /** SHA-256 of what is there, hex. */
  digest(): string {
    return this.hash.copy().digest('hex')
  }

  /**
   * The next bytes are from another answer.
   *
   * @param large whether a later run gains by going on with it: for what is small, notes would take longer
   */
  async begin(mark: Mark, large: boolean): Promise<void> {
    this.parts++
    if (this.noted?.url === mark.url && this.noted.validator === mark.validator) return
    this.noted = mark
    if (!large) return
    this.hasNote = true
    // Half of it is as good as none.
    await writeFile(this.noteFile, `${JSON.stringify(mark)}\n`)
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length; )
      written += (await this.file.write(bytes, written, bytes.length - written)).bytesWritten
    this.hash.update(bytes)
    this.length += bytes.length
  }

  /** Forgets everything: from the first byte again. */
  async restart(): Promise<void> {
    await this.file.truncate(0)
    this.hash = createHash('sha256')
    this.length = 0
    this.parts = 0
  }

  /**
   * Gives it its final name.
   *
   * @param proved whether its digest alone says that it is whole, should we be killed before it has that name
   */
  async finish(path: string, proved: boolean): Promise<void> {
    await this.close()
    await makeFolder(dirname(path))
    if (this.hasNote && proved) await rm(this.noteFile, { force: true })
    await rename(this.path, path)
    if (this.hasNote && !proved) await rm(this.noteFile, { force: true })
  }

  /** Leaves it for a later attempt; removes it where nothing has arrived. */
  async keep(): Promise<void> {
    if (this.length === 0) await this.drop()
    else await this.close()
  }

  async drop(): Promise<void> {
    await this.close()
    await rm(this.path, { force: true })
    await rm(this.noteFile, { force: true })
  }

  private async close(): Promise<void> {
    await this.file.close()
  }

  private get noteFile(): string {
    return `${this.path}.json`
  }

  private async readAgain(signal: AbortSignal): Promise<void> {
    for await (const chunk of createReadStream(this.path, { highWaterMark: 1 << 20, signal })) {
      this.hash.update(chunk as Buffer)
      this.length += (chunk as Buffer).length
    }
    this.hasNote = true
    if (this.length === 0) return
    this.parts = 1
    try {
      const { url, validator } = JSON.parse(await readFile(this.noteFile, 'utf8')) as Partial<Mark>
      if (typeof url === 'string') this.noted = typeof validator === 'string' ? { url, validator } : { url }
    } catch {
      // Without a note it still is a beginning whose digest will tell.
    }
  }
}
