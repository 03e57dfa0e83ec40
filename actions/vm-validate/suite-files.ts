import { createHash } from 'node:crypto'
import { readdir, realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { sha256, sha256File } from '../lib/files/digest.ts'
import type { Suite } from '../lib/spec/validate.ts'
import { isLike } from './files-like.ts'

/** What is no source of a suite: what Python writes beside its files, and the history of this folder. */
const DERIVED = ['.git', '__pycache__', '.pytest_cache']

/**
 * Digest of all that a suite is made of: every file below the folder in which it is run (its `directory:`, by default
 * the spec's own folder, because nobody can tell from a command what it reads) and every other file or folder that its
 * command names by a path. The build's folder and what the suite itself writes (`reports:`) do not count.
 *
 * @throws Error (of Node) for a file that cannot be read: a suite that is not known must not be taken for unchanged
 */
export async function suiteDigest(
  { directory, run, reports }: Pick<Suite, 'directory' | 'run' | 'reports'>,
  { project, buildDirectory }: { project: string; buildDirectory: string },
): Promise<string> {
  const folder = directory ?? project
  const skip = (path: string, name: string) =>
    path === buildDirectory ||
    DERIVED.includes(name) ||
    (reports !== undefined && isLike(path, resolve(folder, reports)))
  const named: string[] = []
  for (const word of run.split(/[\s'"`;|&<>()=]+/)) {
    const path = resolve(folder, word)
    if (!word.includes('/') || !isOutside(folder, path)) continue
    const found = await stat(path).catch(() => undefined)
    // A device, or a whole tree of the system, is none of a suite's.
    if (found?.isFile() || (found?.isDirectory() && path !== '/' && isOutside(path, project)))
      named.push(path)
  }
  const parts = [folder, ...new Set(named)]
  return sha256(JSON.stringify(await Promise.all(parts.map((path) => contentDigest(path, skip)))))
}

function isOutside(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way === '..' || way.startsWith('../') || isAbsolute(way)
}

/** Names, permission bits and contents of the files below a path, links followed: shared helpers are often links. */
async function contentDigest(path: string, skip: (path: string, name: string) => boolean): Promise<string> {
  const hash = createHash('sha256')
  const above: string[] = []
  const add = async (at: string, name: string): Promise<void> => {
    const status = await stat(at).catch((error: NodeJS.ErrnoException) => {
      // A link to nowhere, or in circles: it reads as nothing for the suite, too.
      if (error.code === 'ENOENT' || error.code === 'ELOOP') return undefined
      throw error
    })
    const mode = ((status?.mode ?? 0) & 0o777).toString(8)
    if (status?.isFile()) hash.update(`file ${name}\0${mode}\0${await sha256File(at)}\0`)
    else if (status?.isDirectory()) {
      const real = await realpath(at)
      hash.update(`folder ${name}\0${mode}\0`)
      if (above.includes(real)) return
      above.push(real)
      for (const child of (await readdir(at)).sort())
        if (!skip(join(at, child), child)) await add(join(at, child), `${name}/${child}`)
      above.pop()
    } else hash.update(`other ${name}\0`)
  }
  await add(path, '')
  return hash.digest('hex')
}
