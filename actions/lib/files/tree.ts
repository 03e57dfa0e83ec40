import { lstat, readdir, readlink, realpath, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { ApplianceError } from '../errors/error.ts'
import { sha256, sha256File } from './digest.ts'

/** Digest of a file or of a whole folder: of its parts, whatever it is called itself. Owners and times do not count. */
export async function treeDigest(path: string): Promise<string> {
  return sha256(JSON.stringify(Object.entries(await treeParts(path, ''))))
}

/**
 * What a file or folder consists of, in sorted order: path → digest of kind, mode (with setuid, setgid and sticky bit)
 * and content. Paths begin with `name`; folders themselves are listed, too, since an empty one counts. A symlink given
 * as `path` is followed, those within the folder are links. Sockets are left out: nothing can copy them.
 *
 * @param options.outside also what links within the folder lead to outside of it (but for a folder above it), where a
 *   program of this computer reads the folder
 * @throws ApplianceError `input` for a FIFO or a device
 */
export async function treeParts(
  path: string,
  name: string,
  options: { outside?: boolean } = {},
): Promise<Record<string, string>> {
  const parts: Record<string, string> = {}
  const root = await realpath(path)
  const beyond = new Set<string>()
  await add(root, name)
  return parts

  async function add(at: string, called: string): Promise<void> {
    const status = await lstat(at)
    const mode = (status.mode & 0o7777).toString(8)
    if (status.isSymbolicLink()) {
      parts[called] = `link to ${await readlink(at)}`
      if (options.outside) await addTarget(at, called)
    } else if (status.isDirectory()) {
      parts[`${called}/`] = mode
      for (const child of (await readdir(at)).sort()) await add(join(at, child), `${called}/${child}`)
    } else if (status.isFile()) parts[called] = `${mode} ${await sha256File(at)}`
    else if (!status.isSocket()) {
      const kind = status.isFIFO() ? 'a FIFO' : 'a device'
      throw new ApplianceError('input', `${called || path} is ${kind}, which has no content`, {
        hint: 'Remove it, or move it out of the folder.',
      })
    }
  }

  async function addTarget(link: string, called: string): Promise<void> {
    const target = await realpath(link).catch(() => undefined)
    if (target === undefined || holds(root, target) || holds(target, root) || beyond.has(target)) return
    beyond.add(target)
    const status = await stat(target)
    if (status.isFile() || status.isDirectory()) await add(target, `${called} (its target)`)
  }
}

/** Whether a path is that folder or lies below it; both absolute. */
export function holds(folder: string, path: string): boolean {
  return relative(folder, path).split(sep)[0] !== '..'
}
