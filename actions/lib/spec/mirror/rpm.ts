import { existing } from '../existing.ts'
import { list, matching, section, words, yesOrNo } from '../section.ts'
import { address, name, packageName, snapshotDescription } from './words.ts'

/** What is filled in in addresses of RPM repositories (dnf.conf(5), "Variables"). */
const variables = ['releasever', 'basearch', 'arch']

/** The names of the variables in an address: `$releasever`, `${basearch}`. */
export function variablesIn(address: string): string[] {
  return [...address.matchAll(/\$(?:\{(\w+)\}|(\w+))/g)].map(([, braced, plain]) => (braced ?? plain)!)
}

const rpmAddress = () =>
  address().refine((text) => variablesIn(text).every((name) => variables.includes(name)), {
    error: ({ input }) => {
      const strange = variablesIn(String(input)).filter((name) => !variables.includes(name))
      return `$${strange[0]} is not known here: $releasever, $basearch and $arch are filled in, write out the rest`
    },
  })

/** An entry of `mirror.rpm`: a repository of RPM packages. */
export const rpm = (directory: string) =>
  section({
    name: name().describe('Your name for the repository'),
    baseurl: rpmAddress()
      .optional()
      .describe('Address of the repository; $releasever and $basearch are filled in'),
    mirrorlist: rpmAddress().optional().describe('Address of a list of such addresses'),
    metalink: rpmAddress().optional().describe('Address of a Metalink that lists such addresses'),
    gpgkey: existing(
      directory,
      'a key file',
      'file',
      'any machine of the distribution has it under /etc/pki/rpm-gpg; compare its fingerprint with their web site’s',
    ).describe('The OpenPGP key that signs the packages'),
    packages: list(packageName(), 'a list of packages')
      .default([])
      .describe('What the appliance needs; all they depend on comes with them'),
    groups: list(matching(/^@?\^?[\w.+-]+$/, 'the id of a group or an environment'), 'a list of groups')
      .default([])
      .describe('Package groups and environments, e.g. [core]')
      .transform((groups) => groups.map((group) => group.replace(/^@?\^?/, ''))),
    modules: list(
      matching(/^[\w.+-]+:[\w.+-]+$/, 'a module stream, e.g. nodejs:18'),
      'a list of module streams',
    )
      .default([])
      .describe('Module streams to enable, name:stream'),
    weak: yesOrNo().default(false).describe('Whether its packages come for a recommendation alone, too'),
    releasever: words('a release version, in quotes')
      .optional()
      .describe('The guest’s, e.g. "9"; the same for all'),
    snapshot: rpmAddress().optional().describe(snapshotDescription),
  })
