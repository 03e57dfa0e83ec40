import { existing } from '../existing.ts'
import { list, section, words, yesOrNo } from '../section.ts'
import { address, name, packageName, snapshotDescription } from './words.ts'

/** An entry of `mirror.rpm`: a repository of RPM packages. */
export const rpm = (directory: string) =>
  section({
    name: name().describe('Your name for the repository'),
    baseurl: address()
      .optional()
      .describe('Address of the repository; $releasever and $basearch are filled in'),
    mirrorlist: address().optional().describe('Address of a list of such addresses'),
    metalink: address().optional().describe('Address of a Metalink that lists such addresses'),
    gpgkey: existing(directory, 'a key file').describe('The OpenPGP key that signs the packages'),
    packages: list(packageName(), 'a list of packages')
      .default([])
      .describe('What the appliance needs; all they depend on comes with them'),
    groups: list(words('a group'), 'a list of groups').default([]).describe('Package groups, e.g. [core]'),
    modules: list(words('a module stream, e.g. nodejs:18'), 'a list of module streams')
      .default([])
      .describe('Module streams to enable, name:stream'),
    weak: yesOrNo().default(false).describe('Whether recommended packages come, too'),
    releasever: words('a release version, in quotes').optional().describe('The guest’s, e.g. "9"'),
    snapshot: address().optional().describe(snapshotDescription),
  })
