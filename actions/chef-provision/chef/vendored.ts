import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { Solver } from '../../lib/cookbooks/solver.ts'
import { ApplianceError } from '../../lib/errors/error.ts'
import { sha256 } from '../../lib/files/digest.ts'
import { exists } from '../../lib/files/exists.ts'
import type { LockedCookbooks, LockedGitCookbook } from '../../lib/lock/lock.ts'
import { cookbookInTree } from '../../lib/mirror/cookbook-in-tree.ts'
import { mirrorTree } from '../../lib/mirror/tree-place.ts'
import { run } from '../../lib/process/command.ts'
import type { CookbookFile } from '../../lib/spec/cookbook-file.ts'
import type { StepOf } from '../../lib/spec/provision-step.ts'
import { lockOf } from '../../lib/stage/project.ts'
import type { Project, StageWork } from '../../lib/stage/stage.ts'
import type { ToolsRoot } from '../../lib/tools/tools.ts'

type Work = Pick<StageWork, 'project' | 'signal' | 'workDirectory'>

/** What of the lock is a Berksfile's or Policyfile's. Throws ApplianceError `stale`. */
export function lockedCookbooks(file: CookbookFile, project: Pick<Project, 'lock'>): LockedCookbooks {
  const locked = lockOf(project).cookbook?.find(({ name }) => name === file.name)
  if (locked) return locked
  throw new ApplianceError('stale', `the lock has no cookbooks of ${file.name}`, {
    hint: 'Run `appliance lock`, then `appliance mirror-deps`.',
  })
}

/** Folders of the project that a Berksfile or Policyfile takes cookbooks from; relative. */
export function localCookbooks(file: CookbookFile, project: Pick<Project, 'lock'>): string[] {
  return lockedCookbooks(file, project).local.map(({ path }) => path)
}

/**
 * The step with the folders that `vendor` has written: Berkshelf's as the first of its cookbooks, so that the
 * project's own come before it; a Policyfile's as its policy.
 */
export function withVendored<S extends Pick<StepOf<'chef_solo'>, 'cookbooks' | 'policy' | 'solved'>>(
  step: S,
  work: Pick<Work, 'workDirectory'>,
): S {
  if (!step.solved) return step
  const folder = folderOf(step.solved, work)
  return step.solved.kind === 'policyfile'
    ? { ...step, policy: folder }
    : { ...step, cookbooks: [folder, ...step.cookbooks] }
}

/**
 * What a person knows a file of the step's by: its path in the project, also where it is a copy that was vendored; a
 * cookbook from elsewhere by the file that names it, `Berksfile: web/recipes/default.rb`.
 */
export function knownPath(
  { solved }: Pick<StepOf<'chef_solo'>, 'solved'>,
  work: Pick<Work, 'workDirectory'> & { project: Pick<Project, 'directory' | 'lock'> },
): (file: string) => string {
  const { directory } = work.project
  if (!solved) return (file) => relative(directory, file)
  const folder = folderOf(solved, work)
  const own = new Map(lockedCookbooks(solved, work.project).local.map(({ name, path }) => [name, path]))
  return (file) => {
    const below = relative(folder, file)
    // chef-cli puts each cookbook's identifier behind its name.
    const [, name, rest] = /^(?:cookbook_artifacts\/)?([^/]+?)(?:-[0-9a-f]{40})?\/(.+)$/.exec(below) ?? []
    if (below.startsWith('..') || !name || !rest) return relative(directory, file)
    const home = own.get(name)
    return home === undefined ? `${solved.name}: ${name}/${rest}` : join(home, rest)
  }
}

/**
 * Has Berkshelf or chef-cli vendor what is locked, from the mirror alone; once in a run.
 *
 * @throws ApplianceError `stale` where a cookbook of the project's own needs others now
 */
export async function vendor(file: CookbookFile, root: ToolsRoot, work: Work): Promise<void> {
  const destination = folderOf(file, work)
  if (await exists(destination)) return
  const locked = lockedCookbooks(file, work.project)
  const directory = `${destination}.making`
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  const solver = new Solver(file, { directory, root, signal: work.signal })
  await writeFile(solver.lock, locked.solution)
  await writeFile(solver.gitConfig, '[safe]\n\tdirectory = *\n')
  const tree = mirrorTree(work.project)
  for (const one of locked.cookbooks)
    await unpack(join(tree, cookbookInTree(one)), solver.place(one.name, one), work)
  for (const one of locked.fromGit)
    await checkOut(one, join(tree, 'git', `${one.repository}.git`), solver.place(one.name, one), work)
  const made = join(directory, 'vendored')
  await solver.ask('vendor', made)
  await rename(made, destination)
}

function folderOf({ name }: CookbookFile, { workDirectory }: Pick<Work, 'workDirectory'>): string {
  return join(workDirectory, `vendored-${sha256(name).slice(0, 12)}`)
}

/** A supermarket's tarball has the cookbook in a folder. */
async function unpack(tarball: string, to: string, { workDirectory, signal }: Work): Promise<void> {
  const scratch = await mkdtemp(join(workDirectory, 'cookbook-'))
  await run('tar', ['-C', scratch, '--no-same-owner', '-xzf', tarball], { signal })
  const folders = [scratch, ...(await readdir(scratch)).map((name) => join(scratch, name))]
  for (const folder of folders)
    for (const metadata of ['metadata.json', 'metadata.rb'])
      if (await exists(join(folder, metadata))) {
        await mkdir(dirname(to), { recursive: true })
        return await rename(folder, to)
      }
  throw new ApplianceError('input', `${tarball} holds no cookbook: no metadata.rb or metadata.json`)
}

async function checkOut(
  { commit, folder }: LockedGitCookbook,
  repository: string,
  to: string,
  { workDirectory, signal }: Work,
): Promise<void> {
  const scratch = await mkdtemp(join(workDirectory, 'cookbook-'))
  await run(
    'git',
    [
      '-c',
      'safe.directory=*',
      '-c',
      'core.bare=false',
      `--git-dir=${repository}`,
      `--work-tree=${scratch}`,
      'checkout',
      '-q',
      '-f',
      commit,
      '--',
      folder || '.',
    ],
    { signal, env: { GIT_INDEX_FILE: join(scratch, '..', `${commit}.index`) } },
  )
  await mkdir(dirname(to), { recursive: true })
  await rename(join(scratch, folder), to)
}
