import { ApplianceError } from '../../lib/errors/error.ts'

/** Which packages of a repository apt is to prefer (apt_preferences(5)). */
export interface Pin {
  /** Names, or shell patterns: `nginx*`. */
  packages: readonly string[]
  /** A version or a pattern, `1.22.*`, wherever it comes from; without it: whatever this repository has. */
  version?: string | undefined
  priority: number
}

export interface PinnedSource {
  name: string
  uri: string
  suites: readonly string[]
  /** Of all its packages; apt's default is 500. */
  priority?: number | undefined
  pins?: readonly Pin[] | undefined
}

/**
 * apt's preferences. A repository is told from others by what its Release files say of themselves, as apt knows no
 * other way that also works for one that was kept: by Origin, Label, Suite and Codename, else by the host.
 *
 * @throws ApplianceError `input` for a priority that apt would give to another repository, too
 * @see apt_preferences(5), sections "How APT Interprets Priorities" and "Determination of Package Version and
 *   Distribution Properties"
 */
export async function preferences<S extends PinnedSource>(
  sources: readonly S[],
  releaseOf: (source: S, suite: string) => Promise<string>,
): Promise<string> {
  if (sources.every(({ priority, pins = [] }) => priority === undefined && pins.length === 0)) return ''
  const targets = new Map<S, string[]>()
  for (const source of sources) {
    const own = await Promise.all(
      source.suites.map(async (suite) => target(source, await releaseOf(source, suite))),
    )
    targets.set(source, [...new Set(own)])
  }
  for (const source of sources) refuseAmbiguous(source, targets)
  const specific = sources.flatMap((source) =>
    (source.pins ?? []).flatMap(({ packages, version, priority }) =>
      (version === undefined ? targets.get(source)! : [`version ${version}`]).map((pin) =>
        record(packages.join(' '), pin, priority),
      ),
    ),
  )
  const general = sources.flatMap((source) =>
    source.priority === undefined
      ? []
      : targets.get(source)!.map((pin) => record('*', pin, source.priority!)),
  )
  return [...specific, ...general].join('\n')
}

function record(packages: string, pin: string, priority: number): string {
  return `Package: ${packages}\nPin: ${pin}\nPin-Priority: ${priority}\n`
}

/** Field of a Release file → its letter in a `Pin: release`. */
const LETTERS = { Origin: 'o', Label: 'l', Suite: 'a', Codename: 'n' }

function target({ uri }: PinnedSource, release: string): string {
  const said = Object.entries(LETTERS).flatMap(([field, letter]) => {
    const value = new RegExp(`^${field}:[ \\t]*(\\S.*?)[ \\t]*$`, 'm').exec(release)?.[1]
    // apt splits at commas.
    return value === undefined || value.includes(',') ? [] : [`${letter}=${value}`]
  })
  return said.length > 0 ? `release ${said.join(',')}` : `origin "${new URL(uri).hostname}"`
}

function refuseAmbiguous<S extends PinnedSource>(source: S, targets: ReadonlyMap<S, string[]>): void {
  const weighs = ({ priority, pins = [] }: S) =>
    JSON.stringify([priority ?? null, pins.filter(({ version }) => version === undefined)])
  for (const [other, theirs] of targets) {
    const shared = targets.get(source)!.find((one) => theirs.includes(one))
    if (other === source || shared === undefined || weighs(other) === weighs(source)) continue
    throw new ApplianceError(
      'input',
      `mirror.deb: apt cannot tell ${source.name} from ${other.name}, both are “${shared}”: a priority or pin of one would be the other's as well`,
      {
        hint: 'Give both the same priority, or pin packages by version: pins: [{packages, version, priority}].',
      },
    )
  }
}
