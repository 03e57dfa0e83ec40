import { join } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { LockedDeb, LockedDebRepository } from '../../lib/lock/lock.ts'
import type { StageWork } from '../../lib/stage/stage.ts'
import { type AptSource, PrivateApt, withSlash } from './apt.ts'

/** Repositories as they were locked, and as the spec has them now. */
export interface DebGroup {
  repositories: readonly LockedDebRepository[]
  sources: readonly AptSource[]
}

/** A withdrawn package, and whose it was. */
interface Gone {
  deb: LockedDeb
  repository: LockedDebRepository
  source: AptSource | undefined
}

const SHOWN = 20

/**
 * Says of Debian packages that upstream has withdrawn what it has now instead, and what a user can do.
 *
 * @param error whatever fetching threw; what is not about packages comes back as it is
 * @returns what to throw
 */
export async function explainGone(
  error: unknown,
  groups: readonly DebGroup[],
  work: Pick<StageWork, 'workDirectory' | 'signal'>,
): Promise<unknown> {
  if (!(error instanceof ApplianceError) || error.code !== 'gone') return error
  const gone = groups.flatMap(({ repositories, sources }) =>
    repositories.flatMap((repository) => {
      const source = sources.find(({ name }) => name === repository.name)
      return repository.packages
        .filter(({ name, version }) => names(error.message, `deb ${name} ${version} of ${repository.name}`))
        .map((deb): Gone => ({ deb, repository, source }))
    }),
  )
  if (gone.length === 0) return error
  const lines: string[] = []
  for (const repository of new Set(gone.map((one) => one.repository))) {
    const own = gone.filter((one) => one.repository === repository)
    lines.push(...(await told(own.slice(0, SHOWN), own[0]!.source, work)))
    if (own.length > SHOWN) lines.push(`and ${own.length - SHOWN} more of ${repository.name}`)
  }
  const moved = [...new Set(gone.map(({ repository }) => repository.name))].join(' ')
  const snapshot = gone.every((one) => one.repository.snapshot) ? '' : 'give the source a snapshot: address; '
  return new ApplianceError('gone', lines.join('; '), {
    hint: `Take the mirror of an earlier build (mirror-deps --from-archive FILE, a cache, another computer's build/mirror-deps/store); ${snapshot}or move on: appliance lock --update ${moved}`,
    cause: error,
  })
}

/** Whether a message names it, and not something longer that begins alike. */
function names(message: string, title: string): boolean {
  const at = message.indexOf(title)
  return at >= 0 && !/[\w.-]/.test(message[at + title.length] ?? ' ')
}

async function told(
  gone: readonly Gone[],
  source: AptSource | undefined,
  { workDirectory, signal }: Pick<StageWork, 'workDirectory' | 'signal'>,
): Promise<string[]> {
  const title = ({ deb, repository }: Gone) =>
    `deb ${deb.name} ${deb.version} of ${repository.name} is no longer at ${withSlash(repository.uri)}${deb.path}${repository.snapshot ? ', nor in its snapshot' : ''}`
  try {
    if (!source) return gone.map(title)
    const apt = await PrivateApt.make(join(workDirectory, `now-${source.name}`), [source], signal)
    await apt.update()
    const lines: string[] = []
    for (const one of gone) {
      const { name, arch } = one.deb
      const now = await apt.versions(arch === 'all' ? name : `${name}:${arch}`)
      lines.push(
        `${title(one)}: ${now.length > 0 ? `upstream now has ${now.join(' and ')}` : 'upstream has none any more'}`,
      )
    }
    return lines
  } catch (error) {
    signal.throwIfAborted()
    const why = error instanceof Error ? error.message : String(error)
    return gone.map((one, index) =>
      index > 0 ? title(one) : `${title(one)}; what upstream has now could not be asked (${why})`,
    )
  }
}
