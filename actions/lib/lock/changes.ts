import type { Lock, LockedDebRepository, LockedFile, LockedGemSource, LockedGit } from './lock.ts'

/** What differs between two locks, a line each, for a person: `gem rack 3.1.0 → 3.1.2`. */
export function describeLockChanges(before: Lock | undefined, after: Lock): string[] {
  const old = before ? contents(before) : new Map<string, Entry[]>()
  const now = contents(after)
  const lines: string[] = []
  for (const [name, entries] of now) {
    const was = old.get(name)
    if (!was) lines.push(`added ${name} ${versions(entries)}`)
    else if (versions(was) !== versions(entries))
      lines.push(`${name} ${versions(was)} → ${versions(entries)}`)
    else if (bytes(was) !== bytes(entries))
      lines.push(`${name} ${versions(entries)}: other bytes, same version`)
  }
  for (const [name, entries] of old) if (!now.has(name)) lines.push(`removed ${name} ${versions(entries)}`)
  return lines
}

interface Entry {
  version: string
  sha256: string
}

/** A name may have several: a package in two repositories, a gem for two platforms. */
function versions(entries: readonly Entry[]): string {
  return [...new Set(entries.map(({ version }) => version))].sort().join(', ')
}

function bytes(entries: readonly Entry[]): string {
  return entries
    .map(({ sha256 }) => sha256)
    .sort()
    .join()
}

function contents(lock: Lock): Map<string, Entry[]> {
  const found = new Map<string, Entry[]>()
  const add = (name: string, { version, sha256 }: Entry) =>
    found.set(name, [...(found.get(name) ?? []), { version, sha256 }])
  const packages = (repositories: readonly Pick<LockedDebRepository, 'packages'>[], kind: string) => {
    for (const one of repositories.flatMap(({ packages }) => packages)) add(`${kind} ${one.name}`, one)
  }
  const git = ({ name, ref, commit, objects, submodules }: LockedGit) => {
    add(`git ${name}`, { version: `${ref} (${commit.slice(0, 12)})`, sha256: objects })
    for (const inner of submodules)
      add(`git ${name}, submodule ${inner.path}`, {
        version: inner.commit.slice(0, 12),
        sha256: inner.objects,
      })
  }
  const gems = (sources: readonly LockedGemSource[], of: string) => {
    for (const source of sources) {
      for (const gem of source.gems) add(`${of}gem ${gem.name}`, gem)
      source.git.forEach(git)
    }
  }
  const files = (entries: readonly LockedFile[], kind: string) => {
    for (const { name, sha256 } of entries) add(`${kind} ${name}`, { version: sha256.slice(0, 12), sha256 })
  }
  packages(lock.deb, 'deb')
  packages(lock.rpm, 'rpm')
  gems(lock.gem, '')
  lock.git.forEach(git)
  files(lock.file, 'file')
  files(lock.iso, 'iso')
  for (const { cookbooks, git: repositories } of lock.cookbook ?? []) {
    for (const one of cookbooks) add(`cookbook ${one.name}`, one)
    repositories.forEach(git)
  }
  packages(lock.tools.deb, 'tools deb')
  gems(lock.tools.gem, 'tools ')
  return found
}
