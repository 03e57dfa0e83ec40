import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError, CommandFailed } from '../../lib/errors/error.ts'
import { run } from '../../lib/process/command.ts'

/** A Debian package repository as apt is told of it. */
export interface AptSource {
  name: string
  uri: string
  suites: readonly string[]
  components: readonly string[]
  signedBy: string
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

/**
 * apt in a directory of its own: its own sources, keys, indexes and an empty dpkg status. Neither the host's lists
 * nor its configuration are read or touched.
 *
 * @see apt.conf(5), section "Directories", and the variable APT_CONFIG
 */
export class PrivateApt {
  private readonly directory: string
  private readonly signal: AbortSignal

  private constructor(directory: string, signal: AbortSignal) {
    this.directory = directory
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
    await writeFile(join(directory, 'apt.conf'), configuration(directory))
    return new PrivateApt(directory, signal)
  }

  /** Where apt keeps what it downloaded of the repositories, as downloaded. */
  get lists(): string {
    return join(this.directory, 'state/lists')
  }

  /** Downloads the indexes and verifies their signatures. */
  async update(): Promise<void> {
    try {
      await this.apt(['update', '-qq', '--error-on=any'])
    } catch (error) {
      throw explained(
        'unreachable',
        `the package indexes could not be had (tried ${RETRIES + 1} times)`,
        error,
      )
    }
  }

  /** Solves the installation of packages into an empty system, in one transaction. */
  async solve(packages: readonly string[]): Promise<SolvedPackage[]> {
    let printed: string
    try {
      // `-qq` would keep to itself why something cannot be installed.
      printed = await this.apt(['install', '-q', '-y', '--print-uris', '--', '?essential', ...packages])
    } catch (error) {
      throw explained('unsatisfiable', 'these packages cannot be installed together', error)
    }
    return printed
      .split('\n')
      .filter((line) => line.startsWith("'"))
      .map(parseUri)
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

/** apt's own words, without its chatter. */
function explained(code: 'unreachable' | 'unsatisfiable', what: string, error: unknown): unknown {
  if (!(error instanceof CommandFailed)) return error
  const lines = error.stderrTail.split('\n').map((line) => line.trimEnd())
  const said = lines.filter((line) =>
    /^\s*(E: |W: .*(Failed|key|sign)| .*(Depends|Conflicts|Breaks|Recommends))/.test(line),
  )
  const words = (said.length > 0 ? said : lines)
    .map((line) => line.trim())
    .filter(Boolean)
    .slice(0, 12)
    .join('; ')
  const forged = /NO_PUBKEY|EXPKEYSIG|BADSIG|not signed|Hash Sum mismatch|unexpected size/i.test(words)
  if (code === 'unreachable' && forged)
    return new ApplianceError('digest-mismatch', `the package indexes are not what was signed: ${words}`, {
      hint: 'Does mirror.deb[…].signed_by name the key of that archive? Otherwise somebody else answers for it.',
      cause: error,
    })
  return new ApplianceError(code, `${what}: ${words}`, {
    hint:
      code === 'unsatisfiable'
        ? 'Look at the names under mirror.deb[…].packages, and whether the suites have them.'
        : 'Look at mirror.deb[…]: uri, suites and signed_by; and at the network.',
    cause: error,
  })
}

function stanza({ name, uri, suites, components, signedBy }: AptSource): string {
  return `# ${name}
Types: deb
URIs: ${uri}
Suites: ${suites.join(' ')}
Components: ${components.join(' ')}
Architectures: amd64
Signed-By: ${signedBy}
`
}

function configuration(directory: string): string {
  return `Dir "${directory}/";
Dir::Etc "etc/";
Dir::Etc::sourcelist "none.list";
Dir::Etc::sourceparts "sources.d/";
Dir::Etc::parts "none.d/";
Dir::Etc::main "none.conf";
Dir::Etc::trusted "none.gpg";
Dir::Etc::trustedparts "none.gpg.d/";
Dir::State "state/";
Dir::State::status "${directory}/state/status";
Dir::Cache "cache/";
Dir::Log "log/";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
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
