import { access, constants, mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder and those above it. Node says ENOENT where the file system is read-only (MKDirp in node_file.cc
 * looks at nothing but whether the folder is there): here it is EROFS.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      let there = dirname(path)
      while (there !== dirname(there) && !(await stat(there).catch(() => undefined))) there = dirname(there)
      await access(there, constants.W_OK)
    }
    throw error
  }
}
