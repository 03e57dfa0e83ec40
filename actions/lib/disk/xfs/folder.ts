import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { asRoot } from '../../process/as-root.ts'
import type { KernelSource } from './kernel.ts'

/**
 * The folder that a system is made in. Some of it only root may read: Ubuntu's kernels.
 *
 * @param scratch where a copy is put for a moment
 */
export function folderSource(root: string, scratch: string): KernelSource {
  return {
    async list(path) {
      const entries = await readdir(join(root, path), { withFileTypes: true }).catch(() => [])
      return entries.map((entry) => ({ name: entry.name, kind: entry.isDirectory() ? 'folder' : 'file' }))
    },
    async read(path) {
      const from = join(root, path)
      try {
        return await readFile(from)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EACCES') return undefined
        const copy = join(scratch, 'of-root')
        await asRoot('install', ['-m', '0644', from, copy], {})
        const content = await readFile(copy)
        await rm(copy, { force: true })
        return content
      }
    },
  }
}
