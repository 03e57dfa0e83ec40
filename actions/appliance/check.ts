import { lockKey } from '../lib/lock/file.ts'
import { readScenarios } from '../lib/spec/scenarios.ts'
import type { Door } from './inside.ts'
import { projectOf } from './project.ts'

/** `appliance check`: every fault there is, without downloading or booting. Faults are thrown all at once. */
export async function check(values: Record<string, unknown>, { log }: Door): Promise<void> {
  const project = await projectOf(values)
  const scenarios = await readScenarios(project.spec, project.directory)
  log.info(`${project.specFile}: no fault found; ${scenarios.length} scenarios`)
  if (!project.lock) log.info('there is no lock yet: appliance lock writes it')
  else if (project.lock.for !== (await lockKey(project.spec)))
    log.warn('the lock was made for another spec: appliance lock brings it up to date')
}
