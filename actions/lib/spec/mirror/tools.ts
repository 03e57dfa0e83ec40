import { section, words } from '../section.ts'
import { address, keyring, snapshotDescription } from './words.ts'

/** `tools:` — the Debian the build tools come from (DESIGN §6). */
export const tools = (directory: string) =>
  section({
    uri: address()
      .default('https://deb.debian.org/debian')
      .describe('Address of a Debian package repository'),
    suite: words('a suite').default('trixie').describe('Debian 13 is what the tools are tried with'),
    snapshot: address()
      .default('https://snapshot.debian.org/archive/debian/{timestamp}/')
      .describe(snapshotDescription),
    signed_by: keyring(directory),
  })
    .transform(({ signed_by: signedBy, ...rest }) => ({ ...rest, signedBy }))
    .prefault({})
    .describe('The Debian that the build tools come from')
