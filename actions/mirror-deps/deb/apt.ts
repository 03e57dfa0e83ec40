import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError, CommandFailed } from '../../lib/errors/error.ts'
import { run } from '../../lib/process/command.ts'
import { aptAuth } from './auth.ts'
import { explained } from './explained.ts'
import { type PinnedSource, preferences } from './pins.ts'
import { unsatisfied } from './unsatisfied.ts'

/** A Debian package repository as apt is told of it. */
export interface AptSource extends PinnedSource {
  name: string
  uri: string
  /** One that ends in a slash is the path of a flat repository. */
  suites: readonly string[]
  /** None in a flat repository. */
  components: readonly string[]
  /** Whose packages may be installed; amd64 alone unless said otherwise. */
  architectures?: readonly string[] | undefined
  signedBy: string
  /** What is wanted for it alone, so that a package that cannot be had is told with its source. */
  packages?: readonly string[]
  /** Its signatures and dates were proved already (see chain.ts): an old index is not too old. */
  proved?: boolean
}

/** A package of the solution, as apt's verified indexes describe it. */
export interface SolvedPackage {
  name: string
  version: string
  arch: string
  url: string
  size: number
  sha256: string
}

const RETRIES = 3

/** Those of i386, say, would replace amd64's (apt-patterns(7)). */
const ESSENTIAL = '?and(?essential, ?or(?architecture(amd64), ?architecture(all)))'

/**
 * apt in a directory of its own: its own sources, keys, indexes and an empty dpkg status. Neither the host's lists
 * nor its configuration are read or touched.
 *
 * @see apt.conf(5), section "Directories", and the variable APT_CONFIG
 */
export class PrivateApt {
  private readonly directory: string
  private readonly sources: readonly AptSource[]
  private readonly signal: AbortSignal

  private constructor(directory: string, sources: readonly AptSource[], signal: AbortSignal) {
    this.directory = directory
    this.sources = sources
    this.signal = signal
  }

  /** Lays the directory out anew. */
  static async make(
    directory: string,
    sources: readonly AptSource[],
    signal: AbortSignal,
  ): Promise<PrivateApt> {
    await rm(directory, { recursive: true, force: true })
    for (const folder of [
      'etc/sources.d',
      'etc/preferences.d',
      'etc/none.d',
      'state/lists/partial',
      'cache/archives/partial',
      'log',
    ])
      await mkdir(join(directory, folder), { recursive: true })
    await writeFile(join(directory, 'state/status'), '')
    await writeFile(join(directory, 'etc/sources.d/appliance.sources'), sources.map(stanza).join('\n'))
    const architectures = new Set(['amd64', ...sources.flatMap(({ architectures = [] }) => architectures)])
    await writeFile(join(directory, 'apt.conf'), configuration(directory, [...architectures]))
    return new PrivateApt(directory, sources, signal)
  }

  /** Where apt keeps what it downloaded of the repositories, as downloaded. */
  get lists(): string {
    return join(this.directory, 'state/lists')
  }

  /** Downloads the indexes, verifies their signatures, and sets the pins, which only what they say can tell apart. */
  async update(): Promise<void> {
    const auth = join(this.directory, 'etc/auth.conf')
    try {
      const uris = this.sources.map(({ uri }) => uri)
      await writeFile(auth, await aptAuth(uris, process.env), { mode: 0o600 })
      await this.apt(['update', '-qq', '--error-on=any'])
    } catch (error) {
      throw explained(
        `the package indexes could not be had (tried ${RETRIES + 1} times)`,
        error,
        this.sources,
      )
    } finally {
      await rm(auth, { force: true })
    }
    const text = await preferences(this.sources, (source, suite) => this.release(source, suite))
    await writeFile(join(this.directory, 'etc/preferences.d/appliance.pref'), text)
  }

  /** The text of a suite's signed Release file. */
  private async release({ uri }: AptSource, suite: string): Promise<string> {
    for (const file of ['InRelease', 'Release']) {
      const path = join(this.lists, listName(`${withSlash(uri)}${releaseFolder(suite)}${file}`))
      const text = await readFile(path, 'utf8').catch(() => undefined)
      if (text !== undefined) return text
    }
    return ''
  }

  /** Solves the installation of packages into an empty system, in one transaction. */
  async solve(packages: readonly string[]): Promise<SolvedPackage[]> {
    let printed: string
    try {
      // `-qq` would keep to itself why something cannot be installed.
      printed = await this.apt([
        'install',
        '-q',
        '-y',
        '--allow-downgrades',
        '--print-uris',
        '--',
        ESSENTIAL,
        ...packages,
      ])
    } catch (error) {
      throw unsatisfied(error, this.sources, await this.names())
    }
    return printed
      .split('\n')
      .filter((line) => line.startsWith("'"))
      .map(parseUri)
  }

  /** Of all packages. */
  private async names(): Promise<string[]> {
    const { stdout } = await this.cache('pkgnames')
    return stdout.split('\n')
  }

  /** Those of some packages that the indexes have. */
  async there(names: readonly string[]): Promise<Set<string>> {
    const { stdout } = await this.cache('madison', '--', ...names)
    return new Set(stdout.split('\n').flatMap((line) => line.split('|')[0]?.trim() || []))
  }

  /** Versions of a package that the indexes have now, the one apt would install first. */
  async versions(name: string): Promise<string[]> {
    const { stdout } = await this.cache('madison', '--', name)
    return [...new Set(stdout.split('\n').flatMap((line) => line.split('|')[1]?.trim() || []))]
  }

  private cache(...args: string[]) {
    return run('apt-cache', args, {
      env: { APT_CONFIG: join(this.directory, 'apt.conf') },
      signal: this.signal,
      allowFailure: true,
    })
  }

  private async apt(args: string[]): Promise<string> {
    const result = await run('apt-get', args, {
      env: { APT_CONFIG: join(this.directory, 'apt.conf'), DEBIAN_FRONTEND: 'noninteractive' },
      signal: this.signal,
      allowFailure: true,
    })
    if (result.status !== 0)
      throw new CommandFailed(
        'apt-get',
        args,
        result.status,
        `${result.stdout.slice(-8000)}\n${result.stderr}`,
      )
    return result.stdout
  }
}

function stanza({ name, uri, suites, components, architectures, signedBy, proved }: AptSource): string {
  return `# ${name}
Types: deb
URIs: ${uri}
Suites: ${suites.join(' ')}
${components.length > 0 ? `Components: ${components.join(' ')}\n` : ''}Architectures: ${(architectures ?? ['amd64']).join(' ')}
${proved ? 'Trusted: yes\nCheck-Valid-Until: no\nCheck-Date: no' : `Signed-By: ${signedBy}`}
`
}

/** apt writes addresses so before it adds to them. */
export function withSlash(uri: string): string {
  return uri.endsWith('/') ? uri : `${uri}/`
}

/** Whether a suite is the path of a flat repository (sources.list(5): "exact path, ends with a slash"). */
export function isFlat(suite: string): boolean {
  return suite.endsWith('/')
}

/** Where a suite's Release file is, relative to the repository's address, with a slash at its end. */
export function releaseFolder(suite: string): string {
  return isFlat(suite) ? suite : `dists/${suite}/`
}

function configuration(directory: string, architectures: readonly string[]): string {
  return `Dir "${directory}/";
Dir::Etc "etc/";
Dir::Etc::sourcelist "none.list";
Dir::Etc::sourceparts "sources.d/";
Dir::Etc::parts "none.d/";
Dir::Etc::main "none.conf";
Dir::Etc::netrc "auth.conf";
Dir::Etc::netrcparts "none.d/";
Dir::Etc::trusted "none.gpg";
Dir::Etc::trustedparts "none.gpg.d/";
Dir::State "state/";
Dir::State::status "${directory}/state/status";
Dir::Cache "cache/";
Dir::Log "log/";
APT::Architecture "amd64";
APT::Architectures { ${architectures.map((one) => `"${one}"; `).join('')}};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::ForceHash "sha256";
Acquire::PDiffs "false";
Acquire::Retries "${RETRIES}";
`
}

/** `'URL' name_version_arch.deb SIZE SHA256:HEX`, where a version's colon is written %3a. */
export function parseUri(line: string): SolvedPackage {
  const match = /^'([^']+)' (\S+)_(\S+)_(\S+)\.deb (\d+) SHA256:([0-9a-f]{64})$/.exec(line.trim())
  if (!match) throw new ApplianceError('internal', `apt-get --print-uris printed something unknown: ${line}`)
  const [, url, name, version, arch, size, sha256] = match as unknown as string[]
  return {
    name: name!,
    version: decodeURIComponent(version!),
    arch: arch!,
    url: decodeURIComponent(url!),
    size: Number(size),
    sha256: sha256!,
  }
}

/**
 * The name under which apt keeps what it downloaded from an address.
 *
 * @see URItoFileName and QuoteString in apt-pkg/contrib/strutl.cc
 */
export function listName(uri: string): string {
  return uri
    .replace(/^[a-z+]+:(\/\/([^/@]*@)?)?/, '')
    .replace(/[\\|{}[\]<>"^~_=!@#$%&*\s]/g, (character) => `%${character.charCodeAt(0).toString(16)}`)
    .replaceAll('/', '_')
}
