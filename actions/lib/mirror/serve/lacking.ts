/** Something a client asked the mirror for that it does not have. */
export interface Lacking {
  /** As asked for: `/gem/app/info/rack`. */
  path: string
  times: number
  /** What to do so that the mirror has it: one clause, imperative. */
  remedy: string
}

/** A name of more parts than any honest one is not looked into. */
const LONGEST = 1000

/**
 * What would make the mirror have what a client asked for in vain. undefined where clients merely look whether
 * something is there and do without: other forms of an index, translations, older protocols, parts of a git
 * repository that lie in packs.
 *
 * @param names the address, decoded: `['gem', 'app', 'info', 'rack']`
 * @param sources what the tree has: `gem/app`, `git/rbenv.git`
 */
export function remedyFor(names: readonly string[], sources: ReadonlySet<string>): string | undefined {
  const [kind, source, ...rest] = names
  if (names.join('/').length > LONGEST || kind === undefined || browsers.test(names.join('/')))
    return undefined
  switch (kind) {
    case 'deb':
      return deb(source, rest, sources)
    case 'rpm':
      return rpm(source, rest, sources)
    case 'gem':
      return gem(source, rest, sources)
    case 'git':
      return git(source, rest, sources)
    case 'file':
    case 'iso':
      return file(kind, source, sources)
    case 'tools':
      return source === undefined ? undefined : 'lock again: it is one of the tools (appliance lock --update)'
    default:
      return otherAddress(names)
  }
}

/** What browsers ask for by themselves. */
const browsers = /^(favicon\.ico|robots\.txt|apple-touch-icon.*|\.well-known(\/.*)?)$/

/** @see https://wiki.debian.org/DebianRepository/Format for what apt tries */
function deb(source: string | undefined, rest: readonly string[], sources: ReadonlySet<string>) {
  if (source === undefined) return undefined
  // All repositories as one lie at deb/ itself.
  const whole = source === 'dists' || source === 'pool'
  const path = whole ? [source, ...rest] : rest
  const named = whole ? '' : ` of ${source}`
  const last = path.at(-1) ?? ''
  if (!whole && !sources.has(`deb/${source}`)) return signs(last) ? addSource('deb', source) : undefined
  const [, name] = /^([a-z0-9][a-z0-9+.-]*)_[^_]+_[a-z0-9-]+\.u?deb$/.exec(last) ?? []
  if (name !== undefined) return `add ${name} to the packages${named} in mirror.deb`
  if (path[0] === 'dists' && last === 'InRelease' && path[1] !== 'appliance')
    return `ask for the suite "appliance": every repository of the mirror has this one and no other`
  return undefined
}

/** One file of those with which a client begins, so that a source that is not there is told once. */
function signs(last: string): boolean {
  return ['InRelease', 'repomd.xml', 'versions', 'specs.4.8.gz'].includes(last)
}

function rpm(source: string | undefined, rest: readonly string[], sources: ReadonlySet<string>) {
  if (source === undefined) return undefined
  const last = rest.at(-1) ?? ''
  if (!sources.has(`rpm/${source}`)) return signs(last) ? addSource('rpm', source) : undefined
  // NAME-VERSION-RELEASE.ARCH.rpm; neither version nor release has a dash.
  const [, name] = /^(.+)-[^-]+-[^-]+\.[^.-]+\.rpm$/.exec(last) ?? []
  return name === undefined ? undefined : `add ${name} to the packages of ${source} in mirror.rpm`
}

/** @see https://guides.rubygems.org/rubygems-org-compact-index-api/ */
function gem(source: string | undefined, rest: readonly string[], sources: ReadonlySet<string>) {
  if (source === undefined) return undefined
  const last = rest.at(-1) ?? ''
  if (!sources.has(`gem/${source}`)) return signs(last) ? addSource('gem', source) : undefined
  const name = gemNamed(rest[0], last)
  return name === undefined
    ? undefined
    : `add ${name} to the gems (or the Gemfile, with its lock) of ${source} in mirror.gem`
}

/** The gem that `info/NAME`, `quick/Marshal.4.8/NAME-VERSION.gemspec.rz` or `gems/NAME-VERSION.gem` are about. */
function gemNamed(folder: string | undefined, last: string): string | undefined {
  if (folder === 'info') return last
  if (!['quick', 'gems', 'downloads'].includes(folder ?? '')) return undefined
  return /^(.+?)-\d[^-]*(-.+)?\.(gem|gemspec\.rz)$/.exec(last)?.[1]
}

/** Every client begins with `info/refs`; all else of a repository is looked for, and may lie in a pack. */
function git(source: string | undefined, rest: readonly string[], sources: ReadonlySet<string>) {
  const path = source === undefined ? '' : [source, ...rest].join('/')
  const repository = path.endsWith('/info/refs') ? path.slice(0, -'/info/refs'.length) : undefined
  if (repository === undefined || sources.has(`git/${repository}`)) return undefined
  if (sources.has(`git/${repository}.git`)) return `ask for git/${repository}.git`
  return addSource('git', repository.replace(/\.git$/, ''))
}

function file(kind: 'file' | 'iso', source: string | undefined, sources: ReadonlySet<string>) {
  if (source === undefined) return undefined
  return sources.has(`${kind}/${source}`)
    ? `look at what ${kind}/${source}/ has: a file keeps the last name of its address`
    : addSource(kind, source)
}

function addSource(kind: string, name: string): string {
  return `add a source named ${name} to mirror.${kind}`
}

function otherAddress(names: readonly string[]): string | undefined {
  const last = names.at(-1)!
  // What people or their tools take for a repository of Debian or of gems.
  if (signs(last) || /\.(deb|rpm|gem|iso|tgz|tar\.\w+|zip)$/.test(last) || last === 'refs')
    return 'ask below deb/, rpm/, gem/, git/, file/ or iso/: everything in the mirror lies there'
  return undefined
}
