import { list, section, words } from '../section.ts'
import { address, keyring, name, packageName, snapshotDescription } from './words.ts'

/** An entry of `mirror.deb`: a Debian package repository. */
export const deb = (directory: string) =>
  section({
    name: name().describe('Your name for the repository'),
    uri: address().describe('Address of a Debian package repository'),
    suites: list(words('a suite'), 'a list of suites')
      .min(1, { error: 'name at least one suite' })
      .describe('E.g. [bookworm, bookworm-updates]'),
    components: list(words('a component'), 'a list of components').default(['main']),
    packages: list(packageName(), 'a list of packages')
      .default([])
      .describe('What the appliance needs; all they depend on comes with them'),
    snapshot: address().optional().describe(snapshotDescription),
    signed_by: keyring(directory),
  }).transform(({ signed_by: signedBy, ...rest }) => ({ ...rest, signedBy }))
