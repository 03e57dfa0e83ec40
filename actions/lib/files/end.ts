import { open } from 'node:fs/promises'

/** The last bytes of a file, at most so many: what a guest writes may be of any size. */
export async function endOfFile(path: string, most: number): Promise<Buffer> {
  await using file = await open(path)
  const { size } = await file.stat()
  const bytes = Buffer.alloc(Math.min(size, most))
  const { bytesRead } = await file.read(bytes, 0, bytes.length, size - bytes.length)
  return bytes.subarray(0, bytesRead)
}
