import { realpathSync, statSync } from 'node:fs'
import { isAbsolute, relative, resolve } from 'node:path'
import { holds } from '../files/tree.ts'
import { words } from './section.ts'

/**
 * A file or folder that is there, made absolute. Relative ones begin at the spec's folder.
 *
 * It looks at once, as everything in the spec's schema must: zod puts what it has to wait for at the end of a map, in
 * the order it comes, so that the same spec would be another one with each reading, and its stages out of date.
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
  return words(what).transform((path, context) => {
    const absolute = resolve(directory, path)
    const status = looked(() => statSync(absolute))
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
  return existing(directory, what, kind).superRefine((path, context) => {
    if (holdsBuild(path, directory))
      context.addIssue({
        code: 'custom',
        message: `${relative(directory, path) || '.'} is the folder in which build/ lies: give it a folder of its own`,
      })
  })
}

/** Whether `build/` of a spec's folder lies in a path, which may be a symlink to it. */
export function holdsBuild(path: string, directory: string): boolean {
  const [project, given] = [directory, path].map((at) => looked(() => realpathSync(at)) ?? at)
  return holds(given!, project!)
}

/** What is there; undefined for what is not, or not for us. */
function looked<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}

/** The message for a path that leads to nothing. */
export function notThere(path: string, directory: string): string {
  return `there is no ${path}${isAbsolute(path) ? '' : ` in ${directory}`}`
}
