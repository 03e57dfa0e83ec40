import { describeLockChanges, lockKey, writeLock } from '../lib/lock/file.ts'
import { stageWork } from '../lib/stage/execute.ts'
import { occupy } from '../lib/stage/workplace.ts'
import { resolveLock } from '../mirror-deps/resolve.ts'
import { mirrorDeps } from '../mirror-deps/stage.ts'
import { defaults } from './build.ts'
import type { Door } from './inside.ts'
import { projectOf } from './project.ts'

/** `appliance lock`: resolves what the spec names, writes the lock, says what changed. */
export async function lock(values: Record<string, unknown>, { log, signal }: Door): Promise<void> {
  const project = await projectOf(values)
  await using _ = await occupy(project.buildDirectory)
  if (project.lock && values.update !== true && project.lock.for === (await lockKey(project.spec)))
    return log.info('the lock fits the spec; --update resolves again')
  const work = stageWork(mirrorDeps, project, defaults(mirrorDeps.inputs), log, signal, {})
  const resolved = await resolveLock(work)
  await writeLock(project.lockFile, resolved)
  const changes = describeLockChanges(project.lock, resolved)
  log.info(changes.length === 0 ? 'nothing changed' : `${changes.length} changes:`)
  for (const change of changes) log.info(`  ${change}`)
}
