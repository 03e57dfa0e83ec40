import { rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { sha256 } from '../lib/files/digest.ts'
import { describeLockChanges } from '../lib/lock/changes.ts'
import { readLock, writeLock } from '../lib/lock/file.ts'
import type { Digest, Lock } from '../lib/lock/lock.ts'
import { lockParts, misfits } from '../lib/lock/parts.ts'
import { gitRepositoriesIn } from '../lib/lock/repositories.ts'
import { packPath } from '../lib/mirror/store.ts'
import { versionsOf } from '../lib/process/version.ts'
import type { Project, Stage, StageResult, StageWork } from '../lib/stage/stage.ts'
import { formatSize } from '../lib/units/size.ts'
import { ArchiveSource } from './archive/source.ts'
import { reportArchive, writeArchive } from './archive/write.ts'
import { Attempts } from './attempts.ts'
import { describeContents } from './contents.ts'
import { wantedOfCookbooks } from './cookbook/source.ts'
import { explainGone } from './deb/gone.ts'
import { debGroups } from './deb/resolve.ts'
import { wantedOfDebs, wantedOfToolsDebs } from './deb/source.ts'
import { fetchAll, type LockedWanted, lacking, partialsOf } from './fetch/fetch.ts'
import { Ledger } from './fetch/ledger.ts'
import { wantedOfFiles } from './file/source.ts'
import { wantedOfGems } from './gem/source.ts'
import { notePacks, removeUnsoundPacks, unsoundPacks } from './git/sound-packs.ts'
import { fetchGit } from './git/source.ts'
import { faultsOf, inputs } from './inputs.ts'
import { mirrorKey } from './mirror-key.ts'
import { mirrorPaths } from './paths.ts'
import { prove } from './proof/prove.ts'
import { refuseUnknown, resolveLock } from './resolve.ts'
import { wantedOfRpms } from './rpm/source.ts'
import { summaryMarkdown, summaryTable } from './summary.ts'
import { signs, writeTree } from './tree.ts'
import { changedInTree } from './tree-record.ts'

const RECIPE = '3'

/** Those whose `update:` has been done: from then on the lock counts, as in every later run. */
const updated = new WeakSet<object>()

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
  idle: { values: { 'cache-hit': 'true', 'downloaded-bytes': '0' } },
  place: 'host',
  refuses: faultsOf,

  async dependsOn(work) {
    const { project, outDirectory, signal, rereads } = work
    const lock = await readLock(project.lockFile)
    const spec = sha256(JSON.stringify(await lockParts(project.spec)))
    if (!lock || (work.inputs.update && !updated.has(work)))
      return { recipe: RECIPE, spec, lock: 'to be made' }
    const { store, tree } = mirrorPaths({ outDirectory })
    const options = { store, signal, verify: rereads }
    const scratch = join(work.workDirectory, 'packs')
    const packs = await unsoundPacks(lock, { ...options, scratch })
    const missing = (await lacking(wantedOf(lock, project), options)) + packs.damaged.size + packs.absent.size
    const changed = missing === 0 ? await changedInTree(tree, rereads) : []
    return {
      recipe: RECIPE,
      spec,
      lock: sha256(JSON.stringify(lock)),
      mirror: missing === 0 ? 'whole' : `lacks ${missing} artefacts`,
      tree: changed.length === 0 ? 'as written' : `changed: ${changed.join('; ')}`,
    }
  },

  async run(work): Promise<StageResult> {
    const { log } = work
    const paths = mirrorPaths(work)
    const ledger = new Ledger()
    const lock = await work.timed('lock', () => fittingLock(work, ledger))
    for (const line of describeContents(lock)) log.info(line)
    const archive = await ArchiveSource.of(work.inputs['from-archive'], lock, work, ledger)
    const key = signs(lock) ? mirrorKey(paths.key) : undefined
    // Should the downloads fail, they are what is told.
    key?.catch(() => {})
    await part(work, 'fetch', async () => {
      const { store, shared } = paths
      const { signal, workDirectory } = work
      const options = {
        store,
        sharedStore: shared,
        log,
        signal,
        verify: work.rereads,
        ledger,
        archive: archive && ((absent: readonly LockedWanted[]) => archive.take(absent)),
      }
      const scratch = join(workDirectory, 'packs')
      const fresh: Digest[] = []
      const unsound = await removeUnsoundPacks(lock, { store, scratch, signal, verify: work.rereads })
      const attempts = new Attempts()
      const fetched = await attempts.of(async () => {
        await fetchAll(wantedOf(lock, work.project), options).catch(async (error: unknown) => {
          throw await explainGone(error, debGroups(lock, work.project.spec), work)
        })
        return true
      })
      if (fetched) await rm(partialsOf(store), { recursive: true, force: true })
      for (const git of gitRepositoriesIn(lock)) {
        const options = { store, work: workDirectory, signal, log }
        const bytes = await attempts.of(() => fetchGit(git, work.project.directory, options))
        if (bytes === undefined) continue
        if (bytes > 0) fresh.push(git.objects)
        const { size } = await stat(packPath(store, git.objects))
        const found = archive?.packs.has(git.objects) ? 'archive' : 'store'
        const whence = bytes === 0 ? found : unsound.has(git.objects) ? 'refetched' : 'downloaded'
        ledger.note(`git ${git.source}`, { sha256: git.objects, size }, whence, bytes)
      }
      await notePacks(store, fresh)
      attempts.refuse()
    })
    await key
    const bytes = ledger.downloadedBytes
    log.info(bytes === 0 ? 'nothing had to be downloaded' : `downloaded ${formatSize(bytes)}`)
    await part(work, 'tree', () => writeTree(lock, work))
    await ArchiveSource.clear(work)
    for (const line of summaryTable(ledger)) log.info(line)
    return {
      outputs: {
        mirror: { path: paths.tree },
        lock: { value: work.project.lockFile.slice(work.project.directory.length + 1) },
      },
      tools: await versionsOf('apt-get', 'git'),
      thisRun: {
        values: { 'cache-hit': String(bytes === 0), 'downloaded-bytes': String(bytes) },
        summary: summaryMarkdown(ledger),
      },
    }
  },

  async afterwards({ inputs: { archive }, project, outDirectory, log, signal }): Promise<void> {
    if (archive === undefined) return
    const { store } = mirrorPaths({ outDirectory })
    const written = await writeArchive((await readLock(project.lockFile))!, archive, { store, log, signal })
    reportArchive(archive, written, log)
  },

  async prove(work): Promise<void> {
    const { project } = work
    const lock = await readLock(project.lockFile)
    const outOfStep = lock ? await misfits(project.spec, lock) : []
    if (!lock || outOfStep.length > 0) throw unfitting(project, outOfStep)
    const options = { paths: mirrorPaths(work), work: work as unknown as StageWork }
    await prove(lock, wantedOf(lock, project), options)
    await this.afterwards?.(work)
  },
}

/** Measured, and in a workflow folded. */
function part<T>(
  { log, timed }: Pick<StageWork, 'log' | 'timed'>,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  return log.group(name, () => timed(name, work))
}

/** The lock that fits the spec: the one that is there, or, unless frozen, a new one. */
async function fittingLock(work: StageWork<typeof inputs>, ledger: Ledger): Promise<Lock> {
  const { project, log } = work
  const { frozen, update } = work.inputs
  refuseUnknown(update ?? [], project.spec)
  const there = await readLock(project.lockFile)
  const outOfStep = there ? await misfits(project.spec, there) : []
  if (there && outOfStep.length === 0 && !update) return there
  if (!update && (there || frozen || process.env.GITHUB_ACTIONS === 'true'))
    throw unfitting(project, outOfStep)
  if (!there) log.info('there is no lock yet: resolving what the spec names')
  const lock = await resolveLock(work as unknown as StageWork, { there, anew: update ?? [], ledger })
  await writeLock(project.lockFile, lock)
  updated.add(work)
  if (there) for (const change of describeLockChanges(there, lock)) log.info(`lock: ${change}`)
  log.info(`wrote ${project.lockFile}: commit it`)
  return lock
}

function unfitting({ lockFile }: Project, outOfStep: readonly string[]): ApplianceError {
  return outOfStep.length > 0
    ? new ApplianceError(
        'input',
        `${basename(lockFile)} and the spec are out of step: ${outOfStep.join('; ')}`,
        {
          hint: 'Run `appliance lock`, look at what changed, and commit the lock.',
        },
      )
    : new ApplianceError(
        'input',
        `there is no ${lockFile}, and none is written in a workflow or with --frozen`,
        {
          hint: 'Run `appliance lock` and commit the lock.',
        },
      )
}

/** Everything that the store is to hold under its SHA-256. */
function wantedOf(lock: Lock, { spec }: Project): LockedWanted[] {
  return [
    ...wantedOfDebs(lock.deb, spec.mirror.deb),
    ...wantedOfToolsDebs(lock.tools.deb, spec.tools),
    ...wantedOfRpms(lock.rpm, spec.mirror.rpm),
    ...[...lock.gem, ...lock.tools.gem].flatMap(wantedOfGems),
    ...wantedOfFiles('file', lock.file, spec.mirror.file),
    ...wantedOfFiles('iso', lock.iso, spec.mirror.iso),
    ...wantedOfCookbooks(lock),
  ]
}
