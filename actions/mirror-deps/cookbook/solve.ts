import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { Solver } from '../../lib/cookbooks/solver.ts'
import { ApplianceError } from '../../lib/errors/error.ts'
import { refuse } from '../../lib/errors/fault.ts'
import type { LockedCookbooks, LockedGit } from '../../lib/lock/lock.ts'
import { gitRepositoriesOf, sameAddress } from '../../lib/lock/repositories.ts'
import { gitRewrites, rewriteSections } from '../../lib/mirror/git-rewrites.ts'
import { type CookbookFile, lockBeside } from '../../lib/spec/cookbook-file.ts'
import { gitName, holdsSecret } from '../../lib/spec/mirror/git.ts'
import type { Project } from '../../lib/stage/stage.ts'
import type { ToolsRoot } from '../../lib/tools/tools.ts'
import { type GitOptions, lockGit } from '../git/source.ts'
import { writeGitRepositories } from '../git/tree.ts'

/** A cookbook of a supermarket, before its bytes are known. */
export interface SolvedCookbook {
  name: string
  version: string
  url: string
}

type Answer = { name: string; version: string } & (
  | { url: string }
  | { git: string; commit: string; folder: string }
  | { path: string }
)

interface GitSource {
  uri: string
  ref: string
  revision: string | null
}

/**
 * Resolves a Berksfile or Policyfile, with its lock where there is one. Repositories of git are locked first; the tool
 * then finds them on this computer.
 *
 * @throws ApplianceError `unsatisfiable` in the solver's words; `unreachable`; `input` with the line of the file
 */
export async function solveCookbooks(
  file: CookbookFile,
  root: Pick<ToolsRoot, 'directory'>,
  project: Pick<Project, 'directory' | 'buildDirectory'>,
  options: GitOptions,
): Promise<Omit<LockedCookbooks, 'name' | 'cookbooks'> & { fromSupermarket: SolvedCookbook[] }> {
  const directory = join(options.work, 'cookbooks', slug(file.name))
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  const solver = new Solver(file, { directory, root, signal: options.signal })
  await copyFile(lockBeside(file), solver.lock).catch(() => {})
  await writeFile(solver.gitConfig, '')
  const git = await lockGitCookbooks(file, (await solver.ask('sources')) as GitSource[], options)
  await writeGitRepositories(git.flatMap(gitRepositoriesOf), join(directory, 'git'), options)
  await writeFile(solver.gitConfig, gitConfiguration(git, directory))
  const { solution, cookbooks } = (await solver.ask('solve')) as { solution: string; cookbooks: Answer[] }
  const fromGit = cookbooks.flatMap((one) => {
    if (!('git' in one)) return []
    const { name, version, commit, folder } = one
    const repository = git.find((locked) => sameAddress(locked, { url: one.git }) && isAt(locked, commit))
    if (!repository)
      throw new ApplianceError(
        'internal',
        `${file.name}: ${name} comes from ${one.git} at ${commit}, which was not locked`,
      )
    return [{ name, version, repository: repository.name, commit, folder }]
  })
  const local = cookbooks.flatMap((one) =>
    'path' in one ? [{ name: one.name, path: relative(project.directory, one.path) }] : [],
  )
  refuse(
    local
      .filter(({ path }) => holds(join(project.directory, path), project.buildDirectory))
      .map(({ name }) => ({
        file: file.name,
        message: `the cookbook ${name} is the folder in which build/ lies: give it a folder of its own`,
      })),
  )
  return {
    solution,
    git,
    fromGit,
    local,
    fromSupermarket: cookbooks.flatMap((one) =>
      'url' in one ? [{ name: one.name, version: one.version, url: one.url }] : [],
    ),
  }
}

async function lockGitCookbooks(
  file: CookbookFile,
  sources: readonly GitSource[],
  options: GitOptions,
): Promise<LockedGit[]> {
  refuse(
    sources
      .filter(({ uri }) => holdsSecret(uri))
      .map(() => ({
        file: file.name,
        message:
          'has credentials in an address of git, which is locked and shown: put them into ~/.netrc, or use an SSH agent',
      })),
  )
  const locked: LockedGit[] = []
  for (const { uri, ref, revision } of sources) {
    const pinned =
      revision === null ? {} : { commit: revision, wantedBy: lockBeside({ ...file, path: file.name }) }
    const same = (one: LockedGit) => one.url === uri && (revision ? isAt(one, revision) : one.ref === ref)
    if (locked.some(same)) continue
    const plain = `${slug(file.name)}-${gitName(uri)}`
    const free = (name: string) => !locked.some((one) => one.name === name)
    let name = plain
    for (let next = 2; !free(name); next++) name = `${plain}-${next}`
    locked.push(await lockGit({ name, url: uri, ref, path: undefined, ...pinned }, options))
  }
  return locked
}

/** Berkshelf and chef-cli name an annotated tag by its own object, not by the commit it is put on. */
function isAt({ commit, tag }: LockedGit, revision: string): boolean {
  return revision === commit || revision === tag
}

function gitConfiguration(git: readonly LockedGit[], directory: string): string {
  const rewrites = rewriteSections(gitRewrites(git, `file://${directory}`))
  return `[safe]\n\tdirectory = *\n[protocol "file"]\n\tallow = always\n${rewrites}`
}

function slug(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
}

function holds(folder: string, path: string): boolean {
  return !relative(folder, path).startsWith('..')
}
