import { readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { holds } from './tree.ts'

export interface Followed {
  /** Within the folder. */
  path: string
  kind: 'file' | 'folder'
}

/**
 * What lies in a folder as a program that opens it finds it, in sorted order: symlinks are what they lead to, also
 * outside of it. Left out are those that lead nowhere, or back to a folder they lie in, and what is neither file nor
 * folder.
 */
export async function followedTree(folder: string): Promise<Followed[]> {
  const found: Followed[] = []
  await add('', [await realpath(folder)])
  return found

  /** @param entered the folders that have led here, where they really are; the last one is this */
  async function add(path: string, entered: string[]): Promise<void> {
    const real = entered.at(-1)!
    for (const name of (await readdir(real)).sort()) {
      const within = path ? `${path}/${name}` : name
      const target = await realpath(join(real, name)).catch(() => undefined)
      const status = target === undefined ? undefined : await stat(target)
      if (status?.isFile()) found.push({ path: within, kind: 'file' })
      if (!status?.isDirectory() || entered.some((one) => holds(target!, one))) continue
      found.push({ path: within, kind: 'folder' })
      await add(within, [...entered, target!])
    }
  }
}
