import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

/** SHA-256 of a string or buffer, lower-case hex. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

/** SHA-256 of a file, streamed (1 MiB at a time), lower-case hex. */
export async function sha256File(path: string, signal?: AbortSignal): Promise<string> {
  return await digestFile('sha256', path, signal)
}

/** The same by another algorithm. */
export async function digestFile(
  algorithm: 'md5' | 'sha1' | 'sha256' | 'sha512',
  path: string,
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash(algorithm)
  const options = { highWaterMark: 1 << 20, ...(signal ? { signal } : {}) }
  for await (const chunk of createReadStream(path, options)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
