import { type Lock, NOASSERTION } from '../../lib/lock/lock.ts'
import type { OsRelease } from '../os-release.ts'

export type PartKind = 'deb' | 'rpm' | 'gem' | 'git' | 'file'

/** Something the appliance is made of. */
export interface Part {
  kind: PartKind
  name: string
  version: string
  /** Debian's and RPM's; a gem's platform. */
  arch?: string
  /** As its source states it; NOASSERTION where nobody does. */
  license: string
  /** SHA-256 of the artefact in the mirror; of a git repository that over its objects. */
  sha256?: string
  /** Where it came from. */
  origin?: string
  /** Whether it is in the lock, and on the disk; a git repository or file is looked for by nobody. */
  locked: boolean
  found?: boolean
  /** The package that brought it, for a gem that is part of one: `deb libruby3.1`. */
  within?: string
}

/** A package found on the disk. */
export interface Installed {
  kind: 'deb' | 'rpm' | 'gem'
  name: string
  version: string
  arch?: string
  /** As the disk states it. */
  license?: string
  /** {@link Part.within} */
  within?: string
}

/** Everything the lock brings into the guest, and all that is on the disk besides, sorted; each once. */
export function partsOf(lock: Lock | undefined, installed: readonly Installed[]): Part[] {
  const parts = lock ? lockedParts(lock) : []
  const byKey = new Map(parts.map((part) => [keyOf(part), part]))
  for (const part of byKey.values()) if (part.kind !== 'git' && part.kind !== 'file') part.found = false
  for (const one of installed) {
    const known = byKey.get(keyOf(one))
    if (!known) byKey.set(keyOf(one), { license: NOASSERTION, ...one, locked: false, found: true })
    // A package's gem is not that of the lock, though it be called the same: a distribution makes its own of it.
    else if (one.within === undefined) known.found = true
    else known.within = one.within
  }
  return [...byKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, part]) => part)
}

function keyOf({ kind, name, version, arch }: Pick<Part, 'kind' | 'name' | 'version' | 'arch'>): string {
  return [kind, name, version, kind === 'gem' ? '' : (arch ?? '')].join(' ')
}

function lockedParts(lock: Lock): Part[] {
  const packages = (
    kind: 'deb' | 'rpm',
    sources: Lock['deb'] | Lock['rpm'],
    uri: (source: never) => string,
  ) =>
    sources.flatMap((source) =>
      source.packages.map(({ name, version, arch, license, sha256, path }): Part => {
        const origin = `${uri(source as never).replace(/\/+$/, '')}/${path}`
        return { kind, name, version, arch, license, sha256, origin, locked: true }
      }),
    )
  return [
    ...packages('deb', lock.deb, ({ uri }: { uri: string }) => uri),
    ...packages('rpm', lock.rpm, ({ baseurl }: { baseurl: string }) => baseurl),
    ...lock.gem
      .filter((source) => source.for === 'guest')
      .flatMap(({ source, gems }) =>
        gems.map(({ name, version, platform, license, sha256 }): Part => {
          return { kind: 'gem', name, version, arch: platform, license, sha256, origin: source, locked: true }
        }),
      ),
    ...lock.git.map(({ name, url, commit, license, objects }): Part => {
      return { kind: 'git', name, version: commit, license, sha256: objects, origin: url, locked: true }
    }),
    ...lock.file.map(({ name, url, license, sha256 }): Part => {
      return { kind: 'file', name, version: sha256.slice(0, 12), license, sha256, origin: url, locked: true }
    }),
  ]
}

export interface Differences {
  /** In the lock and not on the disk: mirrored for a build, or never installed. */
  notInstalled: string[]
  /** On the disk and not in the lock: nobody vouches for it. */
  notLocked: string[]
}

export function differences(parts: readonly Part[]): Differences {
  const named = ({ kind, name, version }: Part) => `${kind} ${name} ${version}`
  const absent = parts.filter(({ locked, found }) => locked && found === false)
  return {
    notInstalled: absent.map((part) => `${named(part)}${part.within ? ` (${part.within} has it)` : ''}`),
    notLocked: parts.filter(({ locked, within }) => !locked && within === undefined).map(named),
  }
}

/** Namespaces of package URLs are vendors: almost always `ID` of os-release(5). */
const vendors: Readonly<Record<string, string>> = { rhel: 'redhat' }

/** @see https://github.com/package-url/purl-spec, PURL-TYPES: an RPM's epoch is no part of its version */
export function purl({ kind, name, version, arch, origin }: Part, os: OsRelease): string {
  const encoded = (text: string) => encodeURIComponent(text).replaceAll('%3A', ':')
  const qualifiers = (given: Record<string, string | false | undefined>) => {
    const all = Object.entries(given).flatMap(([key, value]) => (value ? [`${key}=${encoded(value)}`] : []))
    return all.length > 0 ? `?${all.join('&')}` : ''
  }
  const distro = os.version !== undefined && `${os.id}-${os.version}`
  switch (kind) {
    case 'deb':
      return `pkg:deb/${os.id}/${encoded(name)}@${encoded(version)}${qualifiers({ arch, distro })}`
    case 'rpm': {
      const [, epoch, rest] = /^(?:(\d+):)?(.*)$/.exec(version)!
      const vendor = vendors[os.id] ?? os.id
      return `pkg:rpm/${vendor}/${encoded(name)}@${encoded(rest!)}${qualifiers({ arch, distro, epoch })}`
    }
    case 'gem':
      return `pkg:gem/${encoded(name)}@${encoded(version)}${qualifiers({ platform: arch !== 'ruby' && arch })}`
    case 'git':
    case 'file':
      return `pkg:generic/${encoded(name)}@${encoded(version)}${origin ? `?${kind === 'git' ? 'vcs_url' : 'download_url'}=${encodeURIComponent(origin)}` : ''}`
  }
}

/** Whether the guest can ask VMware for its properties. */
export function hasVmwareTools(installed: readonly Installed[]): boolean {
  return installed.some(({ name }) => /^open-vm-tools(-desktop)?$/.test(name))
}
