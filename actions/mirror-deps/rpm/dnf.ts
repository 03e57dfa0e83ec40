import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CommandFailed } from '../../lib/errors/error.ts'
import type { Evidence } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import type { ProgramRoot } from '../program-root.ts'
import { DNF_PROGRAM } from './dnf-program.ts'
import type { Checksum } from './repomd.ts'
import { BASEARCH } from './upstream.ts'

/** A repository as dnf is told of it: its index lies in the store. */
export interface DnfSource {
  name: string
  evidence: readonly Evidence[]
  packages: readonly string[]
  groups: readonly string[]
  modules: readonly string[]
  /** Whether its packages may come for a recommendation alone. */
  weak: boolean
}

/** A package as the index of its repository describes it. */
export interface DescribedRpm {
  source: string
  name: string
  /** `EPOCH:VERSION-RELEASE`; the epoch only where it is not 0. */
  version: string
  arch: string
  href: string
  /** Another address than the repository's, to which `href` is relative. */
  base: string | null
  checksum: Checksum
  /** Bytes. */
  size: number
  license: string | null
}

export interface DnfFault {
  /** What failed: reading an index, a module stream, a package or group asked for, the solution. */
  kind: 'index' | 'module' | 'package' | 'depsolve'
  source: string | null
  /** dnf's own words, in one line. */
  message: string
}

export interface DnfAnswer {
  faults: DnfFault[]
  /** What is worth saying. */
  notes: string[]
  packages?: DescribedRpm[]
  /** Source → streams, `name:stream`, of which something is in the solution or that were asked for. */
  modules?: Record<string, string[]>
  /** Source → ids of the groups and environments that were asked for. */
  groups?: Record<string, string[]>
}

export type DnfTask = { task: 'solve' } | { task: 'describe'; names: readonly string[] }

/**
 * Asks the root's dnf, which has only what is kept of the repositories: their indexes, from the store. It verifies
 * them from repomd.xml on, digest by digest; whether that is signed is to be looked at before.
 *
 * @throws CommandFailed when dnf itself fails; what it finds wrong is in the answer
 */
export async function askDnf(
  root: ProgramRoot,
  sources: readonly DnfSource[],
  task: DnfTask,
  options: { store: string; releasever: string | undefined; signal: AbortSignal },
): Promise<DnfAnswer> {
  const folder = await emptyFolder(root, 'dnf')
  for (const { name, evidence } of sources)
    for (const { path, sha256 } of evidence) {
      const to = join(folder, 'sources', name, path)
      await mkdir(dirname(to), { recursive: true })
      await link(objectPath(options.store, sha256), to)
    }
  const ask = {
    ...task,
    arch: BASEARCH,
    releasever: options.releasever ?? null,
    sources: sources.map(({ evidence, ...source }) => source),
  }
  await writeFile(join(folder, 'ask.json'), JSON.stringify(ask))
  await writeFile(join(folder, 'ask.py'), DNF_PROGRAM)
  const { status, stderr } = await root.run(['/usr/bin/python3', 'ask.py'], {
    folder: 'dnf',
    signal: options.signal,
    allowFailure: true,
  })
  const answer = await readFile(join(folder, 'answer.json'), 'utf8').catch(() => undefined)
  if (status !== 0 || answer === undefined) throw new CommandFailed('dnf', [task.task], status, stderr)
  await rm(folder, { recursive: true, force: true })
  return JSON.parse(answer) as DnfAnswer
}

/** A folder in the root's `/work`, empty; programs can be started in it. */
export async function emptyFolder(root: ProgramRoot, name: string): Promise<string> {
  const folder = join(root.directory, 'work', name)
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  return folder
}
