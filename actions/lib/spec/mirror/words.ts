import { existing } from '../existing.ts'
import { matching, words } from '../section.ts'

/** What a user calls a source. */
export const name = () => matching(/^[a-z0-9][a-z0-9._-]*$/, 'a name of a-z, 0-9, dot, dash and underscore')

export const address = () =>
  words('an address').refine((text) => /^(https?|file):\/\//.test(text) && URL.canParse(text), {
    error: ({ input }) =>
      `expected an address that begins with https://, http:// or file://, got ${JSON.stringify(input)}`,
  })

/** Not an option to a package manager by mistake. */
export const packageName = () => matching(/^[a-z0-9][^\s]*$/i, 'the name of a package')

/** Where Debian's own keys are on Debian and, with the package debian-archive-keyring, on Ubuntu. */
export const debianKeyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

export const keyring = (directory: string) =>
  existing(directory, 'a keyring file')
    .default(debianKeyring)
    .describe('OpenPGP keys that may sign the repository')

export const snapshotDescription =
  'Where superseded packages still are; {timestamp} is filled in from the lock'

/** It becomes a folder of the mirror and a word in the lock. */
export function canBeName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9.+~_:-]*$/.test(name)
}
