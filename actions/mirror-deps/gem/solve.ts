import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ApplianceError, CommandFailed } from '../../lib/errors/error.ts'
import { exists } from '../../lib/files/exists.ts'
import type { LockedGit } from '../../lib/lock/lock.ts'
import { gitRepositoriesOf } from '../../lib/lock/repositories.ts'
import { gitRewrites } from '../../lib/mirror/git-rewrites.ts'
import { gitName, holdsSecret } from '../../lib/spec/mirror/git.ts'
import { type GitOptions, lockGit } from '../git/source.ts'
import { writeGitRepositories } from '../git/tree.ts'
import type { RubyRoot } from './ruby-root.ts'
import { PROGRAM } from './solve-program.ts'
import type { GemEntry, SolvedGem } from './source.ts'

export interface Solution {
  gems: SolvedGem[]
  /** The repositories of gems that come from git. */
  git: LockedGit[]
}

interface GitSource {
  uri: string
  ref: string | null
  revision: string | null
}

/**
 * Resolves a Gemfile (with its lock, where there is one) or a list, by Bundler, for the Ruby of the root. Repositories
 * of git gems are locked first; Bundler then finds them on this computer.
 *
 * @throws ApplianceError `unsatisfiable` in Bundler's words; `input`
 */
export async function solveGems(entry: GemEntry, root: RubyRoot, options: GitOptions): Promise<Solution> {
  const work = join(root.directory, 'work')
  await rm(work, { recursive: true, force: true })
  await mkdir(work, { recursive: true })
  if (entry.gemfile) {
    await copyFile(entry.gemfile, join(work, 'Gemfile'))
    await copyFile(join(dirname(entry.gemfile), 'Gemfile.lock'), join(work, 'Gemfile.lock')).catch(() => {})
  } else await writeFile(join(work, 'Gemfile'), gemfileOf(entry))
  await writeFile(join(work, 'solve.rb'), PROGRAM)
  // Chef's gems were always built from source, so that one tools disk serves every guest.
  const platforms = entry.platforms ?? (entry.for === 'tools' ? ['ruby'] : null)
  const ask = async (what: 'sources' | 'solve', git: readonly LockedGit[]): Promise<unknown> => {
    const rewrites = gitRewrites(git, '').map(({ from, to }) => ({ from, name: to.slice(5, -4) }))
    await writeFile(join(work, 'options.json'), JSON.stringify({ platforms, git: rewrites }))
    try {
      const printed = await root.ruby(['solve.rb', what], { signal: options.signal })
      return JSON.parse(printed.trim().split('\n').at(-1)!)
    } catch (error) {
      throw unsolved(entry, error)
    }
  }
  const sources = (await ask('sources', [])) as GitSource[]
  const git = await lockGitGems(entry, sources, root, options)
  await writeGitRepositories(git.flatMap(gitRepositoriesOf), join(work, 'git'), options)
  const solved = (await ask('solve', git)) as (SolvedGem & { remotes: string[] })[]
  refuseOtherSources(entry, solved)
  return { gems: solved.map(({ remotes: _, ...gem }) => gem), git }
}

async function lockGitGems(
  entry: GemEntry,
  sources: readonly GitSource[],
  root: RubyRoot,
  options: GitOptions,
): Promise<LockedGit[]> {
  if (sources.length === 0) return []
  const secret = sources.filter(({ uri }) => holdsSecret(uri)).map(({ uri }) => withoutLogin(uri))
  if (secret.length > 0)
    throw new ApplianceError(
      'input',
      `gem ${entry.name}: the Gemfile has credentials in the address of ${secret.join(', ')}, which is locked and shown`,
      { hint: 'Put them into ~/.netrc, or use an SSH agent.' },
    )
  const named = sources.map(({ uri }) => uri).join(', ')
  if (entry.for !== 'guest')
    throw new ApplianceError('input', `gem ${entry.name}: gems from git (${named}) are for the guest alone`, {
      hint: 'Use a released version of them.',
    })
  if (
    root.directory !== '/' &&
    (await exists(join(root.directory, 'usr'))) &&
    !(await exists(join(root.directory, 'usr/bin/git')))
  )
    throw new ApplianceError(
      'input',
      `gem ${entry.name}: gems come from git (${named}), and the guest has no git`,
      {
        hint: 'Add git to the packages of a source under mirror.deb: Bundler in the guest needs it.',
      },
    )
  const locked: LockedGit[] = []
  for (const { uri, ref, revision } of sources) {
    const name = `${entry.name}-${gitName(uri)}`
    const pinned = revision === null ? {} : { commit: revision }
    locked.push(await lockGit({ name, url: uri, ref: ref ?? 'HEAD', path: undefined, ...pinned }, options))
  }
  return locked
}

/** One source has one address; gems of another want a source of their own. */
function refuseOtherSources(entry: GemEntry, solved: readonly { name: string; remotes: string[] }[]): void {
  const plain = (address: string) => withoutLogin(address).replace(/\/+$/, '')
  const others = solved.filter(
    ({ remotes }) => !remotes.some((remote) => plain(remote) === plain(entry.source)),
  )
  if (others.length === 0) return
  const shown = others
    .map(({ name, remotes }) => `${name} (${remotes.map(withoutLogin).join(', ')})`)
    .join(', ')
  throw new ApplianceError(
    'input',
    `gem ${entry.name}: these come from elsewhere than ${entry.source}: ${shown}`,
    {
      hint: 'Give the address as source:, or list the gems of another address in an entry of their own under mirror.gem.',
    },
  )
}

/** An address as it may be shown: a Gemfile may have credentials in it. */
function withoutLogin(address: string): string {
  return address.replace(/^([a-z+]+:\/\/)[^/?#]*@/, '$1')
}

function unsolved(entry: GemEntry, error: unknown): unknown {
  if (!(error instanceof CommandFailed)) return error
  const shown = reasonIn(error.stderrTail)
  return new ApplianceError('unsatisfiable', `gem ${entry.name}: Bundler finds no solution: ${shown}`, {
    hint: 'Look at the Gemfile (or gems:) and at what the source has; Bundler in the guest would say the same.',
    cause: error,
  })
}

/** Why Bundler or RubyGems failed, in a line of its own words. */
export function reasonIn(printed: string): string {
  const lines = printed.split('\n').map((line) => line.trim())
  // Bundler's way to say that it did not expect that: the exception, and pages about Bundler.
  const report = lines.findIndex((line) => line.includes('ERROR REPORT TEMPLATE'))
  const exception = lines.slice(report + 1).find((line) => /^[A-Z]\w*(::\w+)*: /.test(line))
  if (report >= 0 && exception) return exception
  // What they say while at work; and, of a hundred versions that do not fit, the newest will do.
  const said = lines.filter(
    (line) =>
      line !== '' && !/^(Fetching |Resolving dependencies|Installing |Using |Successfully )/.test(line),
  )
  const words = said.filter((line, index) => !isVersion(line) || !isVersion(said[index + 1] ?? ''))
  return words.slice(0, 16).join(' ')
}

/** `* rack-3.1.0`, one of a list. */
function isVersion(line: string): boolean {
  return /^\* \S+-\d\S*$/.test(line)
}

function gemfileOf({ source, gems }: GemEntry): string {
  const lines = Object.entries(gems ?? {}).map(([name, requirement]) => {
    const requirements = requirement === '*' ? ['>= 0'] : requirement.split(',').map((part) => part.trim())
    return `gem ${[name, ...requirements].map((word) => JSON.stringify(word)).join(', ')}\n`
  })
  return `source ${JSON.stringify(source)}\n${lines.join('')}`
}
