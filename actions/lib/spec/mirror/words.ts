import { z } from 'zod'
import { existing } from '../existing.ts'
import { expected, matching, oneOf, words } from '../section.ts'

/** What a user calls a source. */
export const name = () => matching(/^[a-z0-9][a-z0-9._-]*$/, 'a name of a-z, 0-9, dot, dash and underscore')

/** Parameters of an address that are credentials, as code hosts, registries and clouds (signed addresses) have them. */
const secretParameter =
  /[?&](access_token|private_token|auth_token|token|api_?key|password|passwd|secret|sig|x-(amz|goog)-(signature|credential|security-token))=/i

export const address = () =>
  words('an address')
    .refine((text) => !/^[^/]*\/\/[^/?#]*@/.test(text) && !secretParameter.test(text), {
      error:
        'is locked and shown, so it may hold no credentials: put them into ~/.netrc, or a file’s into auth:',
      abort: true,
    })
    .refine((text) => /^(https?|file):\/\//.test(text) && URL.canParse(text), {
      error: ({ input }) =>
        `expected an address that begins with https://, http:// or file://, got ${JSON.stringify(input)}`,
    })

/** Not an option to a package manager by mistake. */
export const packageName = () => matching(/^[a-z0-9][^\s]*$/i, 'the name of a package')

/** Debian's architectures whose programs an x86-64 machine runs. */
export const debArchitecture = () => oneOf(['amd64', 'i386', 'x32'])

/** apt's priority of a package (apt_preferences(5)): a whole number but 0, whose meaning apt leaves open. */
export const priority = () => {
  const error = expected('a priority as apt knows it: a whole number from -32768 to 32767, not 0')
  return z
    .int({ error })
    .min(-32768, { error })
    .max(32767, { error })
    .refine((value) => value !== 0, { error })
}

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
