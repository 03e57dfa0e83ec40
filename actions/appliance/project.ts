import { resolve } from 'node:path'
import { refuse } from '../lib/errors/fault.ts'
import { abilitiesOf } from '../lib/hypervisor/drivers.ts'
import { readScenarios } from '../lib/spec/scenarios.ts'
import { type InputValues, path, text } from '../lib/stage/input.ts'
import { openProject } from '../lib/stage/project.ts'
import type { Project } from '../lib/stage/stage.ts'
import { skippedFaults } from '../ova-pack/generalise/operations.ts'
import { givenFileFaults } from '../ova-pack/given-files.ts'
import { ignoredRuleFaults } from '../ova-pack/lint/ignored.ts'
import { propertyFaults } from '../ova-pack/settings/properties.ts'
import { matrixFaults, stepFaults } from '../vm-validate/faults.ts'

/** Flags that every command takes. */
export const everywhere = {
  spec: path('The appliance: what it is made of and how it is built (default appliance.yml)'),
  'working-directory': path('Where the spec lies, and where paths on the command line begin (default: here)'),
  'appliance-version': text('Overrides the version in the spec'),
}

/** The project a command works on: every fault in what the user wrote is found here, before anything is begun. */
export async function projectOf(values: Record<string, unknown>): Promise<Project> {
  const given = values as InputValues<typeof everywhere>
  const version = given['appliance-version']
  const directory = resolve(given['working-directory'] ?? '.')
  const project = await openProject(
    directory,
    given.spec ?? 'appliance.yml',
    version === undefined ? {} : { version },
  )
  const driver = abilitiesOf(project.spec.validate.hypervisor)
  const scenarios = await readScenarios(project.spec, project.directory)
  // Whether the driver can do those that were asked for is seen when they are chosen.
  const chosen = values.scenario || values.tags ? [] : scenarios
  refuse([
    ...skippedFaults(project.spec.pack.seal.skip),
    ...propertyFaults(project.spec.pack),
    ...(await givenFileFaults(project.spec.pack)),
    ...ignoredRuleFaults('pack.lint.ignore', project.spec.pack.lint.ignore),
    ...matrixFaults(project.spec.validate.matrix, scenarios),
    ...(await stepFaults(scenarios, project.directory, driver, chosen)),
  ])
  return project
}
