import { describeLockChanges } from '../lib/lock/changes.ts'
import { writeLock } from '../lib/lock/file.ts'
import { misfits } from '../lib/lock/parts.ts'
import { stageWork } from '../lib/stage/execute.ts'
import { occupy } from '../lib/stage/workplace.ts'
import { counted } from '../lib/units/counted.ts'
import { describeContents } from '../mirror-deps/contents.ts'
import { refuseUnknown, resolveLock } from '../mirror-deps/resolve.ts'
import { mirrorDeps } from '../mirror-deps/stage.ts'
import { defaults } from './build.ts'
import type { Door } from './inside.ts'
import { projectOf } from './project.ts'

/** `appliance lock`: resolves what the spec names and the lock does not have yet, writes the lock, says what changed. */
export async function lock(values: Record<string, unknown>, { log, signal }: Door): Promise<void> {
  const project = await projectOf(values)
  const update = values.update as readonly string[] | 'all' | undefined
  refuseUnknown(update ?? [], project.spec)
  await using _ = await occupy(project.buildDirectory)
  const there = project.lock
  if (there && !update && (await misfits(project.spec, there)).length === 0)
    return log.info('the lock fits the spec; --update resolves again')
  if (!there) log.info('the first lock: its digests are those of what upstream gives now')
  const work = stageWork(mirrorDeps, project, defaults(mirrorDeps.inputs), log, signal, {})
  const resolved = await resolveLock(work, { there, anew: update ?? [] })
  await writeLock(project.lockFile, resolved)
  if (!there) {
    for (const line of describeContents(resolved)) log.info(line)
    return log.info(`wrote ${project.lockFile}: commit it`)
  }
  const changes = describeLockChanges(there, resolved)
  log.info(changes.length === 0 ? 'nothing changed' : `${counted(changes.length, 'change')}:`)
  for (const change of changes) log.info(`  ${change}`)
}
