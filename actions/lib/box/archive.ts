import { createReadStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { BLOCK, padded, ustarHeader } from '../files/ustar.ts'

/** A member of a box: text, or a file of any size. */
export interface Member {
  name: string
  content: { text: string } | { file: string }
}

/**
 * Writes a `.box`: a tar of plain files at its root, the same bytes for the same members. Its final name only ever
 * shows the whole.
 *
 * @see https://developer.hashicorp.com/vagrant/docs/boxes/format
 */
export async function writeBox(path: string, members: readonly Member[], signal: AbortSignal): Promise<void> {
  const partial = join(dirname(path), `.${basename(path)}.partial`)
  try {
    const file = await open(partial, 'w')
    try {
      for (const { name, content } of members) {
        const size = 'text' in content ? Buffer.byteLength(content.text) : (await stat(content.file)).size
        await file.writeFile(ustarHeader(name, size))
        if ('text' in content) await file.writeFile(content.text)
        else await file.writeFile(createReadStream(content.file, { highWaterMark: 1 << 20, signal }))
        await file.writeFile(Buffer.alloc(padded(size) - size))
      }
      await file.writeFile(Buffer.alloc(2 * BLOCK))
      await file.datasync()
    } finally {
      await file.close()
    }
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}
