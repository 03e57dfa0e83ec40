import { stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { ApplianceError } from '../errors/error.ts'
import { refuse } from '../errors/fault.ts'
import { readLock } from '../lock/file.ts'
import type { Lock } from '../lock/lock.ts'
import { readSpec, type SpecOverrides } from '../spec/read.ts'
import type { Project } from './stage.ts'

/**
 * Reads spec and lock and finds every fault in them. Nothing is downloaded or booted.
 *
 * @param specFile relative to `workingDirectory`
 */
export async function openProject(
  workingDirectory: string,
  specFile: string,
  overrides: SpecOverrides = {},
): Promise<Project> {
  const path = resolve(workingDirectory, specFile)
  const status = await stat(path).catch(() => undefined)
  const begin =
    process.env.GITHUB_ACTIONS === 'true'
      ? 'check your repository out before (actions/checkout), and say by working-directory and spec where in it the spec lies'
      : 'name your spec with --spec, or begin one with: appliance init'
  if (!status?.isFile())
    refuse([
      {
        file: specFile,
        message: `there is no such file in ${resolve(workingDirectory)}; ${begin}`,
      },
    ])
  const spec = await readSpec(path, overrides)
  const directory = dirname(path)
  const lockFile = join(directory, 'appliance.lock.json')
  return {
    directory,
    specFile: path,
    spec,
    buildDirectory: join(directory, 'build'),
    lockFile,
    lock: await readLock(lockFile),
  }
}

/** The project's lock, for stages that cannot do without: `stale` names the stage that writes it. */
export function lockOf({ lock }: Pick<Project, 'lock'>): Lock {
  if (lock) return lock
  throw new ApplianceError('stale', 'there is no appliance.lock.json yet', {
    hint: 'Run `appliance lock` (in a workflow: before, on your own computer), and commit the lock.',
  })
}
