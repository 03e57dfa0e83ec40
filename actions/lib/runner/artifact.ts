import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { DefaultArtifactClient } from '@actions/artifact'
import { ApplianceError } from '../errors/error.ts'
import type { Log } from '../log/log.ts'
import { formatSize } from '../units/size.ts'
import { untilAborted } from './until-aborted.ts'

/** Why artifacts cannot be uploaded from here; undefined when they can. */
export function noArtifacts(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const server = new URL(env.GITHUB_SERVER_URL ?? 'https://github.com').hostname.toLowerCase()
  // As @actions/artifact decides it (isGhes in internal/shared/config.ts).
  if (server !== 'github.com' && !server.endsWith('.ghe.com') && !server.endsWith('.localhost'))
    return `GitHub Enterprise Server (${server}) takes no artifacts from this client`
  if (!env.ACTIONS_RUNTIME_TOKEN || !env.ACTIONS_RESULTS_URL) return 'this runner has no artifact service'
  return undefined
}

/** Where GitHub shows this run; undefined outside of a workflow. */
export function runUrl(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const { GITHUB_SERVER_URL: server = 'https://github.com', GITHUB_REPOSITORY: repository } = env
  return repository && env.GITHUB_RUN_ID
    ? `${server}/${repository}/actions/runs/${env.GITHUB_RUN_ID}`
    : undefined
}

function artifactUrl(id: number | undefined): string | undefined {
  const run = runUrl()
  return run && id !== undefined ? `${run}/artifacts/${id}` : undefined
}

/**
 * Uploads one file as it is, without a zip around it, and proves that it arrived: the service's digest must be ours.
 *
 * @param sha256 hex, as recorded when the file was made
 * @param signal ends it
 * @returns where it can be downloaded
 */
export async function uploadFile(
  path: string,
  sha256: string,
  log: Log,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const reason = noArtifacts()
  if (reason !== undefined)
    return void log.warn(`${basename(path)} stays in the workspace (${path}): ${reason}`)
  const { size } = await stat(path)
  log.info(`uploading ${basename(path)} (${formatSize(size)})`)
  const { digest, id } = await untilAborted(signal, () =>
    new DefaultArtifactClient()
      .uploadArtifact(basename(path), [path], dirname(path), { skipArchive: true })
      .catch((cause: Error) => {
        throw new ApplianceError('unreachable', `${basename(path)} could not be uploaded: ${cause.message}`, {
          hint: `It is finished all the same, at ${path}. Run the job again, or set upload: false.`,
          cause,
        })
      }),
  )
  if (digest !== undefined && digest.replace(/^sha256:/, '') !== sha256)
    throw new ApplianceError(
      'digest-mismatch',
      `${basename(path)} arrived as another file: expected SHA-256 ${sha256}, got ${digest}`,
      { hint: 'It may have changed while it was uploaded. Run the job again.' },
    )
  return artifactUrl(id)
}

/**
 * Keeps what shows a failure (screens, consoles, journals). What goes wrong here must not hide the failure itself.
 *
 * @returns where it can be downloaded
 */
export async function uploadEvidence(
  name: string,
  files: readonly string[],
  root: string,
  log: Log,
): Promise<string | undefined> {
  if (files.length === 0 || noArtifacts() !== undefined) return undefined
  try {
    const { id } = await new DefaultArtifactClient().uploadArtifact(name, [...files], root)
    log.info(`the evidence is in the artifact ${name}`)
    return artifactUrl(id)
  } catch (error) {
    log.warn(`the evidence could not be uploaded: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
}
