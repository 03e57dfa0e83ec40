import { basename, resolve } from 'node:path'
import { z } from 'zod'
import { existing, list, notYet, oneOf, section, words } from './section.ts'

const name = () =>
  words('a name').regex(/^[a-z0-9][a-z0-9._-]*$/, {
    error: 'a name is of a-z, 0-9, dot, dash and underscore',
  })

const address = () =>
  words('an address').regex(/^(https?|file):\/\//, {
    error: 'expected an address that begins with https://, http:// or file://',
  })

const hexDigest = () =>
  words('a SHA-256').regex(/^[0-9a-f]{64}$/, { error: 'a SHA-256 is 64 digits of 0-9 and a-f' })

/** Where Debian's own keys are on Debian and, with the package debian-archive-keyring, on Ubuntu. */
export const debianKeyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

const deb = (directory: string) =>
  section({
    name: name(),
    uri: address().describe('Address of a Debian package repository'),
    suites: list(words('a suite'), 'a list of suites').min(1, { error: 'name at least one suite' }),
    components: list(words('a component'), 'a list of components').default(['main']),
    packages: list(words('a package'), 'a list of packages').default([]),
    snapshot: address()
      .optional()
      .describe('Where superseded packages still are; {timestamp} is filled in from the lock'),
    signed_by: existing(directory, 'a keyring file').default(debianKeyring),
  }).transform(({ signed_by: signedBy, ...rest }) => ({ ...rest, signedBy }))

const gem = (directory: string) =>
  section({
    name: name(),
    gemfile: existing(directory, 'a Gemfile').optional(),
    gems: z.record(z.string(), words('a version requirement, e.g. "~> 18.4"')).optional(),
    source: address().default('https://rubygems.org/'),
    for: oneOf(['guest', 'host', 'tools']).default('guest'),
  }).superRefine((value, context) => {
    if ((value.gemfile === undefined) === (value.gems === undefined))
      context.addIssue({ code: 'custom', message: 'give either gemfile: or gems:' })
  })

const git = (directory: string) =>
  section({
    name: name().optional(),
    url: words('an address, a path or a bundle file'),
    ref: words('a tag, branch or commit'),
  }).transform((value) => {
    const remote = /^[a-z+]+:\/\//.test(value.url) || /^[^/]+@[^/]+:/.test(value.url)
    return {
      ...value,
      name: value.name ?? basename(value.url).replace(/\.(git|bundle)$/, ''),
      /** The path on this computer when it is one. */
      path: remote ? undefined : resolve(directory, value.url),
    }
  })

const file = () =>
  section({
    name: name().optional(),
    url: address(),
    mirrors: list(address(), 'a list of addresses').default([]),
    sha256: hexDigest().optional(),
  }).transform((value) => ({ ...value, name: value.name ?? basename(new URL(value.url).pathname) }))

/** `mirror:` — what the appliance is made of, by name. */
export const mirror = (directory: string) =>
  section({
    deb: list(deb(directory), 'a list of Debian repositories').default([]),
    gem: list(gem(directory), 'a list of gem sources').default([]),
    git: list(git(directory), 'a list of git repositories').default([]),
    file: list(file(), 'a list of files').default([]),
    rpm: notYet('mirror.rpm'),
    iso: notYet('mirror.iso'),
  })
    .default({ deb: [], gem: [], git: [], file: [], rpm: undefined, iso: undefined })
    .superRefine((value, context) => {
      for (const kind of ['deb', 'gem', 'git', 'file'] as const) {
        const seen = new Set<string>()
        for (const [index, entry] of value[kind].entries()) {
          if (seen.has(entry.name))
            context.addIssue({
              code: 'custom',
              path: [kind, index],
              message: `there are two ${kind} sources named ${entry.name}`,
            })
          seen.add(entry.name)
        }
      }
    })

/** `tools:` — the Debian the build tools come from (DESIGN §6). */
export const tools = (directory: string) =>
  section({
    uri: address().default('https://deb.debian.org/debian'),
    suite: words('a suite').default('trixie'),
    snapshot: address().default('https://snapshot.debian.org/archive/debian/{timestamp}/'),
    signed_by: existing(directory, 'a keyring file').default(debianKeyring),
  })
    .transform(({ signed_by: signedBy, ...rest }) => ({ ...rest, signedBy }))
    .prefault({})
