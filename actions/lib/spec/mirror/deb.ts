import { list, matching, section, words } from '../section.ts'
import {
  address,
  debArchitecture,
  keyring,
  name,
  packageName,
  priority,
  snapshotDescription,
} from './words.ts'

/** Beside the repositories, in their folder of the mirror. */
const taken = ['dists', 'appliance-mirror.gpg']

/** `pins:` as apt_preferences(5) knows them. */
const pin = () =>
  section({
    packages: list(words('the name of a package, or a pattern such as nginx*'), 'a list of packages')
      .min(1, { error: 'name at least one package' })
      .describe('Names or patterns, e.g. [nginx*]'),
    version: words('a version in quotes, or a pattern such as "1.22.*"')
      .optional()
      .describe('Of whatever repository; without it: what this repository has'),
    priority: priority().describe('1001 and more: even if it is older than another one'),
  })

/** An entry of `mirror.deb`: a Debian package repository. */
export const deb = (directory: string) =>
  section({
    name: name()
      .refine((value) => !taken.includes(value), {
        error: ({ input }) => `${input} is what the mirror calls something else beside the repositories`,
      })
      .describe('Your name for the repository'),
    uri: address().describe('Address of a Debian package repository'),
    suites: list(
      matching(/^[^\s/][^\s]*$/, 'a suite, or the path of a flat repository such as ./'),
      'a list of suites',
    )
      .min(1, { error: 'name at least one suite' })
      .describe('E.g. [bookworm, bookworm-updates], or [./] for a flat repository'),
    components: list(words('a component'), 'a list of components').default(['main']),
    architectures: list(debArchitecture(), 'a list of architectures')
      .min(1, { error: 'name at least one architecture' })
      .optional()
      .describe('By default [amd64]; packages of another one are named as in libc6:i386'),
    packages: list(packageName(), 'a list of packages')
      .default([])
      .describe('What the appliance needs; all they depend on comes with them'),
    priority: priority().optional().describe('Of all its packages, as apt knows it; 500 otherwise'),
    pins: list(pin(), 'a list of pins').optional().describe('Packages or versions that apt is to prefer'),
    snapshot: address().optional().describe(snapshotDescription),
    signed_by: keyring(directory),
  }).transform(({ signed_by: signedBy, ...rest }, context) => {
    const flat = rest.suites.filter((suite) => suite.endsWith('/'))
    if (flat.length > 0 && flat.length < rest.suites.length)
      context.addIssue({
        code: 'custom',
        path: ['suites'],
        message: `${flat[0]} is a flat repository, the others are not: give it an entry of its own`,
      })
    return { ...rest, signedBy }
  })
