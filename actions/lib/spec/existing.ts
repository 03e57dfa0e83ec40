import { realpath, stat } from 'node:fs/promises'
import { isAbsolute, relative, resolve } from 'node:path'
import { holds } from '../files/tree.ts'
import { words } from './section.ts'

/**
 * A file or folder that is there, made absolute. Relative ones begin at the spec's folder.
 *
 * @param what its name in messages: `a script`
 * @param whence where people find one, for those who lack it
 */
export function existing(
  directory: string,
  what: string,
  kind: 'file' | 'folder' | 'either' = 'file',
  whence?: string,
) {
  return words(what).transform(async (path, context) => {
    const absolute = resolve(directory, path)
    const status = await stat(absolute).catch(() => undefined)
    if (!status)
      context.addIssue({
        code: 'custom',
        message: `${notThere(path, directory)}${whence ? `: ${whence}` : ''}`,
      })
    else if (kind === 'file' && status.isDirectory())
      context.addIssue({ code: 'custom', message: `expected ${what}, but ${path} is a folder` })
    else if (kind === 'folder' && !status.isDirectory())
      context.addIssue({ code: 'custom', message: `expected ${what}, but ${path} is no folder` })
    return absolute
  })
}

/** The same for what a step takes as a whole: `build/` must not lie in it, since every run changes that. */
export function existingApart(directory: string, what: string, kind: 'folder' | 'either') {
  return existing(directory, what, kind).superRefine(async (path, context) => {
    if (await holdsBuild(path, directory))
      context.addIssue({
        code: 'custom',
        message: `${relative(directory, path) || '.'} is the folder in which build/ lies: give it a folder of its own`,
      })
  })
}

/** Whether `build/` of a spec's folder lies in a path, which may be a symlink to it. */
export async function holdsBuild(path: string, directory: string): Promise<boolean> {
  const [project, given] = await Promise.all([directory, path].map((at) => realpath(at).catch(() => at)))
  return holds(given!, project!)
}

/** The message for a path that leads to nothing. */
export function notThere(path: string, directory: string): string {
  return `there is no ${path}${isAbsolute(path) ? '' : ` in ${directory}`}`
}
