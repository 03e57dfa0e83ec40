import { randomUUID } from 'node:crypto'
import { copyFile, link, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { DefaultArtifactClient } from '@actions/artifact'
import { ApplianceError } from '../errors/error.ts'
import { sha256 } from '../files/digest.ts'
import { exists } from '../files/exists.ts'
import type { Log } from '../log/log.ts'
import { noArtifacts, uploadFile } from './artifact.ts'
import { isRelease } from './cache.ts'
import { GithubApi } from './github-api.ts'
import { untilAborted } from './until-aborted.ts'

/** Takes files from job to job of a run, and from run to run, by name. What it gives back is for the caller to prove. */
export interface Carrier {
  /** For messages: `in /mnt/shared`. */
  readonly where: string
  has(name: string): Promise<boolean>
  /** Brings the file of that name into `folder`; undefined when there is none. */
  fetch(name: string, folder: string): Promise<string | undefined>
  /** Keeps a file under its own name; one that is there already is as good. */
  put(path: string, sha256: string): Promise<void>
  /** Sees to it that a file which is not what it should be is found no more, and can be put again. */
  discard(name: string): Promise<void>
}

/**
 * By artifacts, or through a folder that all runners share.
 *
 * @param signal ends what is under way
 */
export function carrier(how: string, token: string | undefined, log: Log, signal?: AbortSignal): Carrier {
  if (how !== 'artifact') return new SharedFolder(how)
  const reason = noArtifacts()
  if (reason === undefined) return new Artifacts(token, log, signal)
  throw new ApplianceError('input', `input carry: artifact does not work here: ${reason}`, {
    hint: 'Give a folder that all runners share, or run all stages in one job.',
  })
}

class SharedFolder implements Carrier {
  readonly where: string
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    this.where = `in ${folder}`
  }

  async has(name: string): Promise<boolean> {
    return await exists(await this.#place(name))
  }

  async fetch(name: string, folder: string): Promise<string | undefined> {
    const path = join(folder, name)
    const place = await this.#place(name)
    try {
      await copyFile(place, path)
      return path
    } catch (error) {
      // Never there, or another runner has just discarded it.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** Runners may put the same at once: the name appears only when the file is whole. */
  async put(path: string): Promise<void> {
    const place = await this.#place(basename(path))
    if (await exists(place)) return
    // Process ids of several computers may be the same.
    const partial = join(this.#folder, `.${basename(path)}.${randomUUID()}.partial`)
    try {
      await link(path, partial).catch(() => copyFile(path, partial))
      await rename(partial, place)
    } finally {
      // Renaming does nothing where both are the same file already (rename(2)).
      await rm(partial, { force: true })
    }
  }

  async discard(name: string): Promise<void> {
    await rm(await this.#place(name), { force: true })
  }

  /** The folder is never made: where its mount is missing, that would be one that no other runner has. */
  async #place(name: string): Promise<string> {
    if (!(await exists(this.#folder)))
      throw new ApplianceError('input', `input carry: ${this.#folder} is not there on this runner`, {
        hint: 'Mount the folder that all runners share there, or make it once if the mount is above it.',
      })
    return join(this.#folder, name)
  }
}

/** Ends the name of what says that an artifact is damaged. */
const MARK = '.damaged'

/** An artifact as GitHub's REST API tells of it. @see https://docs.github.com/rest/actions/artifacts */
interface ListedArtifact {
  id: number
  name: string
  expired: boolean
  digest?: string | null
  workflow_run: { id: number; repository_id: number; head_repository_id: number; head_branch: string }
}

interface Found {
  id: number
  /** `sha256:` and hex. */
  digest: string | undefined
  /** The run it is of, when that is an earlier one. */
  run?: number
}

class Artifacts implements Carrier {
  readonly where = 'among the artifacts'
  readonly #client = new DefaultArtifactClient()
  readonly #token: string | undefined
  readonly #log: Log
  readonly #signal: AbortSignal | undefined

  constructor(token: string | undefined, log: Log, signal: AbortSignal | undefined) {
    this.#token = token
    this.#log = log
    this.#signal = signal
  }

  async has(name: string): Promise<boolean> {
    return (await this.#find(name)) !== undefined
  }

  async fetch(name: string, folder: string): Promise<string | undefined> {
    const found = await this.#find(name)
    if (!found) return undefined
    const { id, digest, run } = found
    const [repositoryOwner = '', repositoryName = ''] = (process.env.GITHUB_REPOSITORY ?? '').split('/')
    const findBy =
      run === undefined
        ? {}
        : { findBy: { token: this.#token!, workflowRunId: run, repositoryOwner, repositoryName } }
    const { digestMismatch } = await untilAborted(this.#signal, () =>
      this.#client
        .downloadArtifact(id, { path: folder, ...(digest && { expectedHash: digest }), ...findBy })
        .catch((cause: Error) => {
          throw new ApplianceError('unreachable', `${name} could not be downloaded: ${cause.message}`, {
            cause,
          })
        }),
    )
    if (digestMismatch)
      throw new ApplianceError('digest-mismatch', `${name} arrived as another file than was uploaded`, {
        hint: 'Run the job again.',
      })
    return join(folder, name)
  }

  async put(path: string, sha256: string): Promise<void> {
    const there = await this.#ofThisRun(basename(path))
    // A job that is run again: artifacts of one run have names of their own.
    if (there) return
    await uploadFile(path, sha256, this.#log, this.#signal)
  }

  /**
   * An artifact of an earlier run cannot be deleted with what a job is permitted (actions: read): another one, its
   * mark, says that those before it do not count.
   */
  async discard(name: string): Promise<void> {
    if (await this.#ofThisRun(name)) return void (await this.#client.deleteArtifact(name))
    const mark = `${name}${MARK}`
    if (!(await this.#ofEarlierRuns(name)) || (await this.#ofThisRun(mark))) return
    const folder = await mkdtemp(join(process.env.RUNNER_TEMP ?? tmpdir(), 'appliance-mark-'))
    try {
      const text = `What has the name ${name} and is older than this is damaged.\n`
      await writeFile(join(folder, mark), text)
      await uploadFile(join(folder, mark), sha256(text), this.#log, this.#signal)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  async #find(name: string): Promise<Found | undefined> {
    return (await this.#ofThisRun(name)) ?? (await this.#ofEarlierRuns(name))
  }

  async #ofThisRun(name: string): Promise<Found | undefined> {
    const asked = () => this.#client.getArtifact(name).catch(() => undefined)
    const found = await untilAborted(this.#signal, asked)
    return found && { id: found.artifact.id, digest: found.artifact.digest ?? undefined }
  }

  /**
   * Of the default branch or this one, and never of a fork's code. A release is made of nothing but what itself built.
   */
  async #ofEarlierRuns(name: string): Promise<Found | undefined> {
    if (!this.#token || isRelease()) return undefined
    const [ours] = await this.#listed(name)
    if (!ours) return undefined
    const [mark] = await this.#listed(`${name}${MARK}`)
    if (mark && mark.id > ours.id) return undefined
    return { id: ours.id, digest: ours.digest ?? undefined, run: ours.workflow_run.id }
  }

  /** Newest first. */
  async #listed(name: string): Promise<ListedArtifact[]> {
    const listed = await new GithubApi(this.#token!, { signal: this.#signal })
      .get<{ artifacts: ListedArtifact[] }>(`/actions/artifacts?per_page=30&name=${encodeURIComponent(name)}`)
      .catch((error: Error) => {
        this.#signal?.throwIfAborted()
        this.#log.warn(`earlier runs are not looked at: ${error.message}`)
        return undefined
      })
    // Of a pull request the branch is GITHUB_HEAD_REF; GITHUB_REF_NAME is its number, 12/merge.
    const own = process.env.GITHUB_HEAD_REF || process.env.GITHUB_REF_NAME
    const branches = new Set([own, await defaultBranch()])
    return (listed?.artifacts ?? [])
      .filter(
        ({ expired, workflow_run: run }) =>
          !expired && run.repository_id === run.head_repository_id && branches.has(run.head_branch),
      )
      .sort((a, b) => b.id - a.id)
  }
}

/** As the event that began the run tells it. */
async function defaultBranch(): Promise<string | undefined> {
  const event = await readFile(process.env.GITHUB_EVENT_PATH ?? '', 'utf8').catch(() => '{}')
  return (JSON.parse(event) as { repository?: { default_branch?: string } }).repository?.default_branch
}
