import { basename, resolve } from 'node:path'
import { existing } from './existing.ts'
import { list, mapOf, matching, notYet, oneOf, section, words } from './section.ts'

const name = () => matching(/^[a-z0-9][a-z0-9._-]*$/, 'a name of a-z, 0-9, dot, dash and underscore')

const address = () =>
  words('an address').refine((text) => /^(https?|file):\/\//.test(text) && URL.canParse(text), {
    error: ({ input }) =>
      `expected an address that begins with https://, http:// or file://, got ${JSON.stringify(input)}`,
  })

/** Not an option to apt by mistake. */
const packageName = () => matching(/^[a-z0-9][^\s]*$/i, 'the name of a package')

/** Where Debian's own keys are on Debian and, with the package debian-archive-keyring, on Ubuntu. */
export const debianKeyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

const keyring = (directory: string) =>
  existing(directory, 'a keyring file')
    .default(debianKeyring)
    .describe('OpenPGP keys that may sign the repository')

const snapshotDescription = 'Where superseded packages still are; {timestamp} is filled in from the lock'

const deb = (directory: string) =>
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

const gem = (directory: string) =>
  section({
    name: name().describe('Your name for the gem source'),
    gemfile: existing(directory, 'a Gemfile')
      .optional()
      .describe('Its gems, by its Gemfile.lock where there is one'),
    gems: mapOf(words('a version requirement, e.g. "~> 18.4"'), 'a map from gems to version requirements')
      .optional()
      .describe('Gem → version requirement; "*" for any'),
    source: address().default('https://rubygems.org/').describe('Where the gems come from'),
    for: oneOf(['guest', 'host', 'tools'])
      .default('guest')
      .describe(
        'Whose Ruby they are for: the appliance’s, this computer’s, or that of the build tools (Chef)',
      ),
  })

const git = (directory: string) =>
  section({
    name: name().optional().describe('By default the last part of the url'),
    url: words('an address, a path or a bundle file').describe('An address, a path, or a git bundle file'),
    ref: words('a tag, branch or commit').describe('A tag, branch or commit; the lock has the commit'),
  }).transform((value, context) => {
    const path = isRemote(value.url) ? undefined : resolve(directory, value.url)
    const name = value.name ?? gitName(value.url)
    if (!canBeName(name))
      context.addIssue({ code: 'custom', message: `give it a name: ${value.url} has none` })
    /** The path on this computer when it is one. */
    return { ...value, name, path }
  })

const file = () =>
  section({
    name: name().optional().describe('By default the last part of the url'),
    url: address().describe('Where the file is: https://, http:// or file://'),
    mirrors: list(address(), 'a list of addresses')
      .default([])
      .describe('Other addresses of the same file, tried in order'),
    sha256: matching(/^[0-9a-f]{64}$/, 'a SHA-256: 64 digits of 0-9 and a-f')
      .optional()
      .describe('Without it the file is locked as it is the first time'),
  }).transform((value, context) => {
    const name = value.name ?? fileName(value.url)
    if (!canBeName(name))
      context.addIssue({ code: 'custom', message: `give it a name: ${value.url} has none` })
    return { ...value, name }
  })

/** Whether git gets it over a network. */
export function isRemote(url: string): boolean {
  return /^[a-z+]+:\/\//.test(url) || /^[^/]+@[^/]+:/.test(url)
}

/** A git source's name where none is given. */
export function gitName(url: string): string {
  return basename(url).replace(/\.(git|bundle)$/, '')
}

/** A file's name where none is given. */
export function fileName(url: string): string {
  return URL.canParse(url) ? basename(new URL(url).pathname) : ''
}

/** It becomes a folder of the mirror and a word in the lock. */
function canBeName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9.+~_:-]*$/.test(name)
}

/** `mirror:` — what the appliance is made of, by name. */
export const mirror = (directory: string) =>
  section({
    deb: list(deb(directory), 'a list of Debian repositories').default([]).describe('Debian packages'),
    gem: list(gem(directory), 'a list of gem sources').default([]).describe('Ruby gems'),
    git: list(git(directory), 'a list of git repositories').default([]).describe('Git repositories'),
    file: list(file(), 'a list of files').default([]).describe('Files, by their addresses'),
    rpm: notYet(),
    iso: notYet(),
  })
    .default({ deb: [], gem: [], git: [], file: [], rpm: undefined, iso: undefined })
    .describe('What the appliance is made of, by name; the lock has the digests')

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

/** The sections of `mirror:` whose entries have names. */
export const namedSources = ['deb', 'gem', 'git', 'file'] as const

/** The name of an entry as the schema will have it, be it written or derived. */
export function sourceName(
  kind: (typeof namedSources)[number],
  name: string | undefined,
  url: string | undefined,
): string | undefined {
  if (name !== undefined || url === undefined) return name
  return kind === 'git' ? gitName(url) : kind === 'file' ? fileName(url) : undefined
}
