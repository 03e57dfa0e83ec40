import { posix } from 'node:path'
import type { Digest, Lock, LockedGit } from './lock.ts'

/** A git repository that the mirror serves as `git/<name>.git`. */
export interface MirroredGit {
  /** The entry of the spec it comes with. */
  source: string
  name: string
  /** Upstream's address, a path or a bundle file. */
  url: string
  /** undefined for a submodule, which is known by its commit alone. */
  ref: { kind: LockedGit['kind']; name: string } | undefined
  commit: string
  /** The id of an annotated tag's own object. */
  tag: string | undefined
  objects: Digest
}

/** A git source's repository and those of its submodules. */
export function gitRepositoriesOf(locked: LockedGit): MirroredGit[] {
  const { name, url, ref, kind, commit, tag, objects, submodules } = locked
  return [
    { source: name, name, url, ref: { kind, name: ref }, commit, tag, objects },
    ...submodules.map((inner) => ({ ...inner, source: name, ref: undefined, tag: undefined })),
  ]
}

/** Every git source of a lock, those of gems and cookbooks, too. */
export function gitSourcesOf({ git, gem, cookbook = [], tools }: Lock): LockedGit[] {
  return [...git, ...[...gem, ...tools.gem, ...cookbook].flatMap((source) => source.git)]
}

/** Every git repository that the mirror is to serve. */
export function gitRepositoriesIn(lock: Lock): MirroredGit[] {
  return gitSourcesOf(lock).flatMap(gitRepositoriesOf)
}

/** `https://host/x` and `https://host/x.git` are one address. */
export function sameAddress(a: { url: string }, b: { url: string }): boolean {
  return plain(a.url) === plain(b.url)
}

function plain(url: string): string {
  return url.replace(/\/+$/, '').replace(/\.git$/, '')
}

/**
 * A submodule's address: as it is, or, if it begins with `./` or `../`, relative to its repository's.
 *
 * @see gitmodules(5), submodule.<name>.url
 */
export function resolveAddress(repository: string, url: string): string {
  if (!/^\.\.?(\/|$)/.test(url)) return url
  const [, root = '', path = ''] = /^([a-z+]+:\/\/[^/]*|[^/]+@[^/:]+:)?(.*)$/.exec(repository) ?? []
  return root + posix.join(path, url)
}
