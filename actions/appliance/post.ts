import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { endedStep, killLeftovers } from '../lib/runner/post.ts'
import { occupy } from '../lib/stage/workplace.ts'
import type { Door } from './inside.ts'
import { savePartialMirror } from './mirror-cache.ts'
import { projectOf } from './project.ts'

/**
 * After the job, whatever became of it: what a step left running is killed, what it left half-done is taken away, and
 * what a cancelled or failed step had fetched of the mirror goes into the cache, so that the next run continues.
 */
export async function afterStep(door: Door): Promise<void> {
  const { mark, action, workingDirectory, spec, ended } = endedStep()
  const killed = await killLeftovers(mark)
  if (killed.length > 0) door.log.warn(`${action} left ${killed.join(', ')} running; killed`)
  if (ended || action === '') return
  const values = { 'working-directory': workingDirectory || '.', ...(spec && { spec }) }
  const project = await projectOf(values).catch(() => undefined)
  // What was wrong with the spec, the step itself has said.
  if (!project) return
  await using _ = await occupy(project.buildDirectory)
  const scratch = join(project.buildDirectory, '.work')
  // A step that failed by itself has cleared up already, and leaves the empty folder.
  const left = await readdir(scratch).catch(() => [])
  await rm(scratch, { recursive: true, force: true })
  if (left.length > 0) door.log.info(`${action} did not come to its end: ${scratch} is taken away`)
  if (action === 'mirror-deps' || action === 'appliance') await savePartialMirror(project, door)
}
