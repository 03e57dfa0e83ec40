import { mkdir } from 'node:fs/promises'
import { dirname, isAbsolute, join, normalize, resolve } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import { exists } from '../../lib/files/exists.ts'
import type { Outcome, Surroundings } from './outcome.ts'

/** Copies into the guest what an earlier step downloaded, or else a file of the project. */
export async function upload(
  { from, to, owner, mode }: { from: string; to: string; owner?: string; mode?: number },
  { guest, scratch, project, signal }: Surroundings,
): Promise<Outcome> {
  const source = await fileToSend(from, { scratch, project })
  const settings = {
    signal,
    ...(owner === undefined ? {} : { owner }),
    ...(mode === undefined ? {} : { mode }),
  }
  return await attempt(() => guest.upload(source, to, settings), `uploaded ${from} to ${to}`)
}

/** Where a file is that a step names: what this scenario downloaded comes first, then the project's. */
export async function fileToSend(
  from: string,
  { scratch, project }: Pick<Surroundings, 'scratch' | 'project'>,
): Promise<string> {
  const candidates = isAbsolute(from) ? [from] : [resolve(scratch, from), resolve(project, from)]
  const source = await firstThere(candidates)
  if (source) return source
  throw new ApplianceError(
    'input',
    `there is no ${from}: neither downloaded in this scenario, nor in ${project}`,
  )
}

/** Copies out of the guest into the scenario's own folder. */
export async function download(
  { from, to }: { from: string; to: string },
  { guest, scratch, signal }: Surroundings,
): Promise<Outcome> {
  if (isAbsolute(to) || normalize(to).startsWith('..'))
    throw new ApplianceError(
      'input',
      `download to ${to}: give a path inside the scenario's own folder, e.g. backup.tar`,
    )
  const target = join(scratch, to)
  await mkdir(dirname(target), { recursive: true })
  return await attempt(() => guest.download(from, target, signal), `downloaded ${from}`)
}

async function attempt(copy: () => Promise<void>, done: string): Promise<Outcome> {
  try {
    await copy()
    return { met: true, finding: done }
  } catch (error) {
    // The guest said no (no such file, no permission): that is an answer.
    if (error instanceof ApplianceError && error.code === 'guest-failed')
      return { met: false, finding: error.message }
    throw error
  }
}

async function firstThere(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await exists(path)) return path
  return undefined
}
