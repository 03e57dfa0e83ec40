import { basename, resolve } from 'node:path'
import { section, words } from '../section.ts'
import { canBeName, name } from './words.ts'

/** An entry of `mirror.git`: one repository at one commit. */
export const git = (directory: string) =>
  section({
    name: name().optional().describe('By default the last part of the url'),
    url: words('an address, a path or a bundle file')
      .refine((url) => !holdsSecret(url), {
        error:
          'is locked and shown, so it may hold no credentials: put them into ~/.netrc, or use an SSH agent',
      })
      .describe('An address, a path, or a git bundle file'),
    ref: words('a tag, branch or commit').describe('A tag, branch or commit; the lock has the commit'),
  }).transform((value, context) => {
    const path = isRemote(value.url) ? undefined : resolve(directory, value.url)
    const name = value.name ?? gitName(value.url)
    if (!canBeName(name))
      context.addIssue({ code: 'custom', message: `give it a name: ${value.url} has none` })
    /** The path on this computer when it is one. */
    return { ...value, name, path }
  })

/** A password, or over HTTP a user name, which often is a token. `ssh://git@host/` names an account only. */
export function holdsSecret(url: string): boolean {
  const user = /^([a-z+]+):\/\/([^/?#]*)@/.exec(url)
  return user !== null && (/^https?$/.test(user[1]!) || user[2]!.includes(':'))
}

/** Whether git gets it over a network. */
export function isRemote(url: string): boolean {
  return /^[a-z+]+:\/\//.test(url) || /^[^/]+@[^/]+:/.test(url)
}

/** A git source's name where none is given. */
export function gitName(url: string): string {
  return basename(url).replace(/\.(git|bundle)$/, '')
}
