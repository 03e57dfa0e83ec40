/**
 * `appliance.lock.json`: what the appliance is made of, by digest. Deterministic: entries are sorted, no clock but
 * upstream's own. Every artefact lies in `build/mirror-deps/store/` under its SHA-256.
 */
export interface Lock {
  schema: 1
  arch: 'amd64'
  /** Digest of the parts of the spec this lock was made for (see lockKey); a differing spec means: lock again. */
  for: string
  deb: LockedDebRepository[]
  gem: LockedGemSource[]
  git: LockedGit[]
  file: LockedFile[]
  /** The tools root (DESIGN §6): build tools whose version shows in the result, and Chef. */
  tools: { deb: LockedDebRepository[]; gem: LockedGemSource[] }
}

/** SHA-256 in lower-case hex. */
export type Digest = string

export interface Artefact {
  sha256: Digest
  /** Bytes. */
  size: number
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
  /** Signed indexes kept as evidence; `path` is relative to `uri`, e.g. dists/bookworm/InRelease. */
  evidence: (Artefact & { path: string })[]
  packages: LockedDeb[]
}

export interface LockedDeb extends Artefact {
  name: string
  version: string
  arch: string
  /** Relative to the repository's `uri`: pool/main/n/nginx/nginx_1.22.1-9_amd64.deb */
  path: string
}

export interface LockedGemSource {
  name: string
  /** Where the gems come from, e.g. https://rubygems.org/ */
  source: string
  for: 'guest' | 'host' | 'tools'
  gems: LockedGem[]
}

export interface LockedGem extends Artefact {
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
  /** 40 hex digits. */
  commit: string
  /** SHA-256 over the sorted ids of all objects reachable from `commit`, each with a newline (DESIGN §6). */
  objects: Digest
}

export interface LockedFile extends Artefact {
  name: string
  url: string
  mirrors: string[]
}
