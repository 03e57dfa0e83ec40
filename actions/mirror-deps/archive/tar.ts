import { BLOCK, padded } from '../../lib/files/ustar.ts'

/** A member of a tar archive. */
export interface TarEntry {
  name: string
  /** Bytes. */
  size: number
  kind: 'file' | 'directory' | 'other'
  /** What an `other` is, for a person. */
  what: string
  /** Its content; what is not read of it is passed over when the next entry is asked for. */
  body: AsyncIterable<Buffer>
}

/** The archive ended before its end. */
export class Truncated extends Error {}

/** What is read is no tar archive. */
export class NoTar extends Error {}

/**
 * The members of a USTAR archive, streamed. It knows neither PAX headers nor GNU's long names, which would have to be
 * held in memory and which nothing we write has: there they come out as `other`.
 *
 * @throws Truncated, NoTar
 * @see POSIX.1-1988 ustar Interchange Format; GNU tar manual, "Basic Tar Format", base-256 numbers
 */
export async function* tarEntries(source: AsyncIterable<Buffer>): AsyncGenerator<TarEntry> {
  const input = new Input(source)
  try {
    for (;;) {
      const block = await input.block()
      if (block.every((byte) => byte === 0)) return
      const entry = parsed(block)
      let left = entry.size
      async function* body(): AsyncGenerator<Buffer> {
        while (left > 0) {
          const chunk = await input.some(left)
          left -= chunk.length
          yield chunk
        }
      }
      yield { ...entry, body: body() }
      await input.skip(left + padded(entry.size) - entry.size)
    }
  } finally {
    await input.close()
  }
}

function parsed(header: Buffer): Omit<TarEntry, 'body'> {
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0)
  if (octal(header, 148, 8) !== sum || header.toString('latin1', 257, 262) !== 'ustar') throw new NoTar()
  const prefix = header.toString('latin1', 262, 264) === ' ' ? '' : text(header, 345, 155)
  const name = text(header, 0, 100)
  const flag = String.fromCharCode(header[156]!)
  const kind = flag === '0' || flag === '\0' ? 'file' : flag === '5' ? 'directory' : 'other'
  // Links have sizes that mean nothing (POSIX: "the size field … shall be ignored").
  const size = '123456'.includes(flag) ? 0 : number(header, 124, 12)
  return { name: prefix ? `${prefix}/${name}` : name, size, kind, what: kinds[flag] ?? 'an extended header' }
}

const kinds: Readonly<Record<string, string>> = {
  1: 'a hard link',
  2: 'a symbolic link',
  3: 'a device',
  4: 'a device',
  6: 'a fifo',
  7: 'a contiguous file',
}

function text(header: Buffer, offset: number, length: number): string {
  const end = header.indexOf(0, offset)
  return header.toString('utf8', offset, end < 0 || end > offset + length ? offset + length : end)
}

function octal(header: Buffer, offset: number, length: number): number {
  const digits = header
    .toString('latin1', offset, offset + length)
    .replace(/[\0 ]+$/, '')
    .trimStart()
  if (!/^[0-7]*$/.test(digits)) throw new NoTar()
  return Number.parseInt(digits || '0', 8)
}

/** In octal digits, or in base 256. */
function number(header: Buffer, offset: number, length: number): number {
  if ((header[offset]! & 0x80) === 0) return octal(header, offset, length)
  const value = header.readBigUInt64BE(offset + length - 8)
  const rest = header.subarray(offset + 1, offset + length - 8)
  if (header[offset] !== 0x80 || rest.some((byte) => byte !== 0) || value > Number.MAX_SAFE_INTEGER)
    throw new NoTar()
  return Number(value)
}

/** Bytes by the piece; holds no more than one chunk of the source. */
class Input {
  private readonly source: AsyncIterator<Buffer>
  private rest: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Buffer>) {
    this.source = source[Symbol.asyncIterator]()
  }

  async some(most: number): Promise<Buffer> {
    while (this.rest.length === 0) {
      const next = await this.source.next()
      if (next.done) throw new Truncated()
      this.rest = next.value
    }
    const chunk = this.rest.subarray(0, most)
    this.rest = this.rest.subarray(chunk.length)
    return chunk
  }

  async block(): Promise<Buffer> {
    const parts: Buffer[] = []
    for (let left = BLOCK; left > 0; left -= parts.at(-1)!.length) parts.push(await this.some(left))
    return Buffer.concat(parts)
  }

  async skip(bytes: number): Promise<void> {
    for (let left = bytes; left > 0; ) left -= (await this.some(left)).length
  }

  async close(): Promise<void> {
    await this.source.return?.()
  }
}
