/**
 * `appliance.lock.json`: what the appliance is made of, by digest. Deterministic: entries are sorted, no clock but
 * upstream's own. Every artefact lies in `build/mirror-deps/store/` under its SHA-256.
 */
export interface Lock {
  schema: 1
  arch: 'amd64'
  /** Part of the spec → digest of what the spec says there (see lockParts); where they differ, lock again. */
  for: Record<string, Digest>
  /** Where all of the below can be had in one piece, when upstream has moved on. */
  archive?: LockedArchive
  deb: LockedDebRepository[]
  rpm: LockedRpmRepository[]
  gem: LockedGemSource[]
  git: LockedGit[]
  file: LockedFile[]
  iso: LockedFile[]
  /** What each Berksfile and Policyfile needs. */
  cookbook?: LockedCookbooks[]
  /** The tools root (DESIGN §6): build tools whose version shows in the result, and Chef. */
  tools: { deb: LockedDebRepository[]; gem: LockedGemSource[] }
}

/** What `mirror-deps --archive` wrote, at an address. */
export interface LockedArchive extends Artefact {
  url: string
}

/** SHA-256 in lower-case hex. */
export type Digest = string

/** Bytes in the store. */
export interface Artefact {
  sha256: Digest
  /** Bytes. */
  size: number
}

/** What the appliance ships. */
export interface Licensed extends Artefact {
  /** An SPDX expression, else what upstream calls it, else `NOASSERTION` (SPDX 2.3, §7.13). */
  license: string
}

/** A signed index, a signature or a key, kept so that the chain to the artefact can be proved again offline. */
export interface Evidence extends Artefact {
  /** Relative to the repository's address; a key's begins with `keys/`. */
  path: string
}

export interface LockedDebRepository {
  name: string
  uri: string
  suites: string[]
  components: string[]
  /** Address pattern with `{timestamp}` where superseded packages still are. */
  snapshot?: string
  /** Upstream's own date of its newest InRelease used, `YYYYMMDDTHHMMSSZ`. */
  timestamp: string
  /** Signed indexes, e.g. dists/bookworm/InRelease, and the keys that may sign them. */
  evidence: Evidence[]
  packages: LockedDeb[]
}

export interface LockedDeb extends Licensed {
  name: string
  version: string
  arch: string
  /** Relative to the repository's `uri`: pool/main/n/nginx/nginx_1.22.1-9_amd64.deb */
  path: string
}

export interface LockedRpmRepository {
  name: string
  /** Where it was found: `baseurl`, or the first address that a mirrorlist or metalink gave. Variables filled in. */
  baseurl: string
  /** Further addresses of the same, tried in order; the first few that its mirrorlist or metalink gave. */
  mirrors: string[]
  /** As in the spec, where given. */
  mirrorlist?: string
  metalink?: string
  snapshot?: string
  /** Of upstream's repomd.xml, `YYYYMMDDTHHMMSSZ`. */
  timestamp: string
  /** repodata/repomd.xml, its signature, the metadata it vouches for, and the keys. */
  evidence: Evidence[]
  /** Module streams the packages come from or that the spec enables, `name:stream`. */
  modules: string[]
  /** Ids of the groups and environments that the spec asks for, and of the groups in those. */
  groups: string[]
  packages: LockedRpm[]
}

export interface LockedRpm extends Licensed {
  name: string
  /** `EPOCH:VERSION-RELEASE`; the epoch only where it is not 0. */
  version: string
  arch: string
  /** Relative to `baseurl`. */
  path: string
}

export interface LockedGemSource {
  name: string
  /** Where the gems come from, e.g. https://rubygems.org/ */
  source: string
  for: 'guest' | 'host' | 'tools'
  gems: LockedGem[]
  /** Repositories of gems that a Gemfile takes from git. */
  git: LockedGit[]
}

export interface LockedGem extends Licensed {
  name: string
  version: string
  /** `ruby` or e.g. `x86_64-linux`. */
  platform: string
}

export interface LockedGit {
  name: string
  /** As in the spec: a URL, a path or a bundle file (relative to the spec). */
  url: string
  ref: string
  /** What `ref` was when it was locked. */
  kind: 'tag' | 'branch' | 'commit'
  /** 40 hex digits. */
  commit: string
  /** The id of an annotated tag's own object. */
  tag?: string
  /** SHA-256 over the sorted ids of all objects reachable from `tag` or `commit`, each with a newline (DESIGN §6). */
  objects: Digest
  /** Bytes of all these objects, before compression; older locks do not say. */
  size?: number
  license: string
  /** All, recursively; `path` is where each lies in the work tree of the outermost. */
  submodules: LockedSubmodule[]
}

export interface LockedSubmodule {
  /** Of its repository in the mirror, `git/<name>.git`. */
  name: string
  path: string
  url: string
  commit: string
  objects: Digest
  size?: number
}

/** A file or an ISO image. */
export interface LockedFile extends Licensed {
  name: string
  url: string
  mirrors: string[]
  /** Further digests that the spec demands, proved when locking. */
  sha512?: string
  /** Its detached signature or the signed list of digests, and the keys; paths are whole addresses, or `keys/…`. */
  evidence: Evidence[]
}

/** The cookbooks of one Berksfile or Policyfile, but for those of a path, which are the project's own. */
export interface LockedCookbooks {
  /** The file, relative to the spec. */
  name: string
  /** What Berkshelf or chef-cli writes into the lock beside it. */
  solution: string
  /** From a supermarket, as its tarballs. */
  cookbooks: LockedCookbook[]
  git: LockedGit[]
  fromGit: LockedGitCookbook[]
  local: LocalCookbook[]
}

export interface LockedCookbook extends Artefact {
  name: string
  version: string
  url: string
}

export interface LockedGitCookbook {
  name: string
  version: string
  /** Name of the repository, among `git`. */
  repository: string
  commit: string
  /** Where it lies in the repository; '' for all of it. */
  folder: string
}

export interface LocalCookbook {
  name: string
  /** Relative to the spec. */
  path: string
}

/** SPDX's word for a licence nobody states. */
export const NOASSERTION = 'NOASSERTION'
