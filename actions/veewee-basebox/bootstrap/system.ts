import { type Fault, refuse } from '../../lib/errors/fault.ts'
import { slowDigest } from '../../lib/files/slow-digest.ts'
import { asNamed, basePackages, rpmBasePackages } from '../../lib/mirror/packages.ts'
import { type Family, familyOf } from '../../lib/spec/family.ts'
import type { Spec } from '../../lib/spec/spec.ts'

/** What a machine made from the mirror is to be; from the spec, or from a definition. */
export interface System {
  /** Its host name. */
  name: string
  /** For people, in the boot menu. */
  title: string
  family: Family
  /** Upstream's repositories, for its apt. */
  repositories: Spec['mirror']['deb']
  /** The same for its dnf. */
  rpmRepositories: Spec['mirror']['rpm']
  /** Packages beyond Essential ones. */
  packages: readonly string[]
  /** Bytes, a whole number of MiB. */
  disk: number
  locale: string
  timezone: string
  /** As XKB calls it: `de(nodeadkeys)`. */
  keymap: string | undefined
  kernelArguments: readonly string[]
  filesystem: 'ext4' | 'xfs'
  /** Bytes; 0 for none. */
  swap: number
  users: readonly Account[]
}

export interface Account {
  name: string
  groups: readonly string[]
  shell: string
  /** `true` asks for the user's own password. */
  sudo: boolean | 'nopasswd'
  password: Password | undefined
  /** Lines of authorized_keys(5). */
  authorizedKeys: readonly string[]
}

/** A hash as crypt(5) has it, or what one is to be made of. Neither may ever be shown. */
export type Password = { readonly hash: string } | { readonly clear: string }

/** An account as most are. */
export const usualAccount = { groups: [], shell: '/bin/bash', sudo: false, authorizedKeys: [] } as const

/**
 * The machine that a spec with `basebox.bootstrap` asks for.
 *
 * @param environment has the passwords that the spec does not
 * @param more accounts of a definition
 * @throws InputError naming every variable that is not set, and every account that is in both
 */
export function systemOf(
  spec: Spec,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  more: readonly Account[] = [],
): System {
  const { name, product, mirror, basebox } = spec
  const bootstrap = basebox.bootstrap!
  const family = familyOf(spec)
  const faults: Fault[] = []
  const users = bootstrap.users.map((user) => ({
    ...user,
    password: passwordOf(user.name, user.password, environment, faults),
  }))
  for (const { name: user } of more.filter((account) => users.some((one) => one.name === account.name)))
    faults.push({ message: `basebox.bootstrap.users: ${user} is the definition’s user; leave it out here` })
  refuse(faults)
  const { locale, timezone, keymap, kernelArguments, filesystem, swap } = bootstrap
  return {
    name,
    title: product.title ?? name,
    family,
    repositories: mirror.deb,
    rpmRepositories: mirror.rpm,
    packages: family === 'rpm' ? rpmBasePackages(bootstrap) : basePackages(bootstrap),
    disk: basebox.disk,
    ...{ locale, timezone, keymap, kernelArguments, filesystem, swap },
    users: [...users, ...more],
  }
}

function passwordOf(
  user: string,
  written: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
  faults: Fault[],
): Password | undefined {
  if (written === undefined) return undefined
  if (!written.startsWith('env:')) return { hash: written }
  const variable = written.slice('env:'.length)
  const value = environment[variable]
  if (!value || /[\n\0]/.test(value)) {
    const what = value ? 'holds more than a line' : 'is not set in the environment'
    faults.push({ message: `basebox.bootstrap.users: ${variable}, the password of ${user}, ${what}` })
    return undefined
  }
  return /^\$(y|gy|7|6|5|2[aby])\$[^\s:]+$/.test(value) ? { hash: value } : { clear: value }
}

/**
 * What of a system is not in its files, for a fingerprint. It is kept in build/, so a password is in it only as what is
 * as hard to guess as its hash on the disk.
 */
export function described({ name, title, repositories, rpmRepositories, users, ...rest }: System): string {
  const accounts = users.map(({ password, ...user }) => [user, password && scrambled(password, user.name)])
  return JSON.stringify([rest, accounts])
}

function scrambled(password: Password, user: string): string {
  const secret = 'hash' in password ? password.hash : password.clear
  return slowDigest(`fingerprint of ${user}`, secret).toString('hex')
}

/** The system's packages as the mirror has them. */
export function packagesIn(
  { packages }: System,
  repositories: readonly { packages: readonly { name: string }[] }[],
): string[] {
  return asNamed(
    packages,
    new Set(repositories.flatMap((repository) => repository.packages.map(({ name }) => name))),
  )
}
