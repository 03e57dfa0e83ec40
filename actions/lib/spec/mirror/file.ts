import { basename } from 'node:path'
import { existing } from '../existing.ts'
import { list, matching, section, whereSecret, words } from '../section.ts'
import { address, canBeName, name } from './words.ts'

const secret = () =>
  whereSecret(/^env:[A-Za-z_][A-Za-z0-9_]*$/, 'env:NAME, the environment variable that holds it')

/** An entry of `mirror.file` or `mirror.iso`: one file by its addresses. */
export const file = (directory: string) =>
  section({
    name: name().optional().describe('By default the last part of the url'),
    url: address().describe('Where the file is: https://, http:// or file://'),
    mirrors: list(address(), 'a list of addresses')
      .default([])
      .describe('Other addresses of the same file, tried in order'),
    sha256: matching(/^[0-9a-f]{64}$/, 'a SHA-256: 64 digits of 0-9 and a-f')
      .optional()
      .describe('Without it the file is locked as it is the first time'),
    sha512: matching(/^[0-9a-f]{128}$/, 'a SHA-512: 128 digits of 0-9 and a-f').optional(),
    signature: address()
      .optional()
      .describe('Its detached signature (.asc, .sig), or that of a list of digests (SHA256SUMS.sign)'),
    keyring: existing(directory, 'a keyring file').optional().describe('OpenPGP keys that may sign it'),
    license: words('a licence, by its SPDX identifier').optional().describe('E.g. Apache-2.0'),
    auth: section({
      user: words('a user name').optional(),
      password: secret().optional(),
      token: secret().optional().describe('Sent as a bearer token'),
    })
      .optional()
      .describe('Credentials for the host of the url; other hosts get those of ~/.netrc'),
  }).transform((value, context) => {
    for (const [path, message] of faultsOf(value)) context.addIssue({ code: 'custom', path: [path], message })
    const name = value.name ?? fileName(value.url)
    if (!canBeName(name))
      context.addIssue({ code: 'custom', message: `give it a name: ${value.url} has none` })
    return { ...value, name }
  })

/** A file's name where none is given. */
export function fileName(url: string): string {
  return URL.canParse(url) ? basename(new URL(url).pathname) : ''
}

/** Keys that say nothing without one another, or too much together. */
function faultsOf({
  signature,
  keyring,
  auth,
}: {
  signature?: string | undefined
  keyring?: string | undefined
  auth?: { user?: string | undefined; password?: string | undefined; token?: string | undefined } | undefined
}): [key: string, message: string][] {
  const faults: [string, string][] = []
  if (signature !== undefined && keyring === undefined)
    faults.push(['signature', 'needs a keyring beside it: a file with the keys that may sign'])
  if (keyring !== undefined && signature === undefined)
    faults.push(['keyring', 'needs a signature beside it: the address of one'])
  if (!auth) return faults
  const { user, password, token } = auth
  if (token !== undefined && (user ?? password) !== undefined)
    faults.push(['auth', 'takes a token, or user and password, not both'])
  else if (token === undefined && (user === undefined || password === undefined))
    faults.push(['auth', 'needs a token, or user and password'])
  return faults
}
