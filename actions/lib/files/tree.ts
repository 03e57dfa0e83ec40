import { createHash } from 'node:crypto'
import { lstat, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256File } from './digest.ts'

/**
 * Digest of a file or of a whole folder: names, kinds, permission bits and contents, in sorted order; owners and
 * times do not count.
 */
export async function treeDigest(path: string): Promise<string> {
  const hash = createHash('sha256')
  await add(path, '')
  return hash.digest('hex')

  async function add(at: string, name: string): Promise<void> {
    const status = await lstat(at)
    const mode = (status.mode & 0o777).toString(8)
    if (status.isSymbolicLink()) hash.update(`link ${name}\0${await readlink(at)}\0`)
    else if (status.isDirectory()) {
      hash.update(`folder ${name}\0${mode}\0`)
      for (const child of (await readdir(at)).sort())
        await add(join(at, child), name ? `${name}/${child}` : child)
    } else hash.update(`file ${name}\0${mode}\0${await sha256File(at)}\0`)
  }
}

/**
 * What a file or folder consists of: path → digest of kind, permission bits and content. Paths begin with `name`;
 * folders themselves are listed, too, since an empty one counts.
 */
export async function treeParts(path: string, name: string): Promise<Record<string, string>> {
  const status = await lstat(path)
  const mode = (status.mode & 0o777).toString(8)
  if (status.isSymbolicLink()) return { [name]: `link to ${await readlink(path)}` }
  if (!status.isDirectory()) return { [name]: `${mode} ${await sha256File(path)}` }
  const parts: Record<string, string> = { [`${name}/`]: mode }
  for (const child of (await readdir(path)).sort())
    Object.assign(parts, await treeParts(join(path, child), `${name}/${child}`))
  return parts
}
