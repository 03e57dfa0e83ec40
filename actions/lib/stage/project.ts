import { stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { refuse } from '../errors/fault.ts'
import { readLock } from '../lock/file.ts'
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
  if (!status?.isFile())
    refuse([
      {
        file: specFile,
        message: `there is no such file in ${resolve(workingDirectory)}; name your spec with --spec, or begin one with: appliance init`,
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
