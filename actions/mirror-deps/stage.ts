import { ApplianceError } from '../lib/errors/error.ts'
import { sha256 } from '../lib/files/digest.ts'
import { describeLockChanges, lockKey, readLock, writeLock } from '../lib/lock/file.ts'
import type { Lock } from '../lib/lock/lock.ts'
import { flag } from '../lib/stage/input.ts'
import type { Project, Stage, StageResult, StageWork } from '../lib/stage/stage.ts'
import { formatSize } from '../lib/units/size.ts'
import { wantedOfRepository } from './deb.ts'
import { fetchAll } from './fetch.ts'
import { wantedOfFile } from './file.ts'
import { wantedOfGems } from './gem.ts'
import { fetchGit } from './git.ts'
import { mirrorPaths } from './paths.ts'
import { resolveLock } from './resolve.ts'
import { writeTree } from './tree.ts'

const RECIPE = '1'

const inputs = {
  verify: flag('Read every byte of the mirror again, not only sizes'),
  frozen: flag('Never write a lock: the one that is there must fit the spec'),
  update: flag('Resolve anew and write the lock, although it fits the spec'),
}

/** Everything the appliance is made of, locked by digest, as working repositories any web server can serve. */
export const mirrorDeps: Stage<typeof inputs> = {
  name: 'mirror-deps',
  description: 'Mirrors everything the appliance is made of, locked by digest, as working repositories',
  inputs,
  outputs: {
    mirror: 'The repositories (a folder)',
    lock: 'The lock file',
    'cache-hit': 'true when nothing had to be downloaded',
    'downloaded-bytes': 'How many bytes were downloaded',
  },
  place: 'host',

  async dependsOn({ project, inputs: { update } }) {
    const lock = await readLock(project.lockFile)
    return {
      recipe: RECIPE,
      spec: await lockKey(project.spec),
      lock: lock && !update ? sha256(JSON.stringify(lock)) : 'none',
    }
  },

  async run(work): Promise<StageResult> {
    const { log } = work
    const paths = mirrorPaths(work)
    const lock = await work.timed('lock', () => fittingLock(work))
    const wanted = [
      ...[...lock.deb, ...lock.tools.deb].flatMap(wantedOfRepository),
      ...[...lock.gem, ...lock.tools.gem].flatMap(wantedOfGems),
      ...lock.file.map(wantedOfFile),
    ]
    const bytes = await work.timed('fetch', async () => {
      const { store, shared } = paths
      let fetched = await fetchAll(wanted, {
        store,
        sharedStore: shared,
        log,
        signal: work.signal,
        verify: work.inputs.verify,
      })
      for (const git of lock.git)
        fetched += await fetchGit(git, work.project.directory, {
          store,
          work: work.workDirectory,
          signal: work.signal,
        })
      return fetched
    })
    log.info(`downloaded ${formatSize(bytes)}; the mirror has ${contents(lock)}`)
    await work.timed('tree', () => writeTree(lock, work))
    return {
      outputs: {
        mirror: { path: paths.tree },
        lock: { value: work.project.lockFile.slice(work.project.directory.length + 1) },
        'cache-hit': { value: String(bytes === 0) },
        'downloaded-bytes': { value: String(bytes) },
      },
      tools: {},
    }
  },
}

/** The lock that fits the spec: the one that is there, or, unless frozen, a new one. */
async function fittingLock(work: StageWork<typeof inputs>): Promise<Lock> {
  const { project, log } = work
  const { frozen, update } = work.inputs
  const there = await readLock(project.lockFile)
  const fits = there?.for === (await lockKey(project.spec))
  if (there && fits && !update) return there
  if (frozen || (there && !update)) throw unfitting(project, there)
  if (!there) log.info('there is no lock yet: resolving what the spec names')
  const lock = await resolveLock(work as unknown as StageWork)
  await writeLock(project.lockFile, lock)
  const changes = describeLockChanges(there, lock)
  if (there) for (const change of changes) log.info(`lock: ${change}`)
  log.info(`wrote ${project.lockFile}: commit it`)
  return lock
}

function unfitting(project: Project, there: Lock | undefined): ApplianceError {
  return there
    ? new ApplianceError(
        'input',
        `${project.lockFile} was made for another spec (mirror, tools, basebox or a Gemfile changed since)`,
        {
          hint: 'Run `appliance lock`, look at what changed, and commit the lock.',
        },
      )
    : new ApplianceError('input', `there is no ${project.lockFile}, and --frozen writes none`, {
        hint: 'Run `appliance lock` and commit the lock.',
      })
}

function contents({ deb, gem, git, file, tools }: Lock): string {
  const count = (repositories: { packages: unknown[] }[]) =>
    repositories.reduce((sum, { packages }) => sum + packages.length, 0)
  const gems = (sources: { gems: unknown[] }[]) =>
    sources.reduce((sum, source) => sum + source.gems.length, 0)
  return `${count(deb)} packages, ${gems(gem)} gems, ${git.length} git repositories, ${file.length} files; for the tools ${count(tools.deb)} packages, ${gems(tools.gem)} gems`
}
