import { basename } from 'node:path'
import { InputError, showFault } from '../lib/errors/fault.ts'
import { misfits } from '../lib/lock/parts.ts'
import { definitionOf } from '../lib/spec/machine.ts'
import { readScenarios } from '../lib/spec/scenarios.ts'
import { counted } from '../lib/units/counted.ts'
import type { Door } from './inside.ts'
import { projectOf } from './project.ts'

/** `appliance check`: every fault there is, without downloading or booting. Faults are thrown all at once. */
export async function check(values: Record<string, unknown>, { log }: Door): Promise<void> {
  const project = await projectOf(values).catch((error: unknown) => {
    if (error instanceof InputError) for (const warning of error.warnings) log.warn(showFault(warning))
    throw error
  })
  for (const warning of definitionOf(project.spec.basebox, project.directory)?.warnings ?? [])
    log.warn(showFault(warning))
  const scenarios = await readScenarios(project.spec, project.directory)
  log.info(`${project.specFile}: no fault found; ${counted(scenarios.length, 'scenario')}`)
  if (!project.lock) return log.info('there is no lock yet: appliance lock writes it')
  const outOfStep = await misfits(project.spec, project.lock)
  for (const line of outOfStep) log.warn(`${basename(project.lockFile)}: ${line}`)
  if (outOfStep.length > 0) log.warn('appliance lock brings it up to date')
}
