import { readdir, readFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { type Fault, refuse } from '../errors/fault.ts'
import { knownNames, unknownNames } from './names.ts'
import { faultsOf, inOrder, type Positioned, parseYaml } from './positions.ts'
import { textAt } from './raw.ts'
import { type Scenario, type ScenarioStep, scenarioFile } from './scenario.ts'
import type { Spec } from './spec.ts'

/**
 * All scenarios of the spec, in the order of their file names.
 *
 * @throws InputError with every fault in them
 */
export async function readScenarios(spec: Spec, directory: string): Promise<Scenario[]> {
  if (!spec.validate.scenarios) return []
  const { scenarios, faults } = await read(spec.validate.scenarios, directory, knownNames(spec))
  refuse(faults)
  return scenarios
}

/** The faults in the scenarios that a spec names, even when the spec has faults of its own. */
export async function scenarioFaults(yaml: Positioned, directory: string): Promise<Fault[]> {
  const given = textAt(yaml.value, 'validate', 'scenarios')
  if (!given) return []
  const folder = resolve(directory, given)
  const entries = await readdir(folder).catch(() => undefined)
  // That there is no such folder, the schema says.
  if (entries && !entries.some(isScenarioFile))
    return [yaml.fault(['validate', 'scenarios'], `there is no scenario (*.yml) in ${given}`)]
  return (await read(folder, directory, knownNames(yaml.value))).faults
}

function isScenarioFile(name: string): boolean {
  return /^[^.].*\.ya?ml$/.test(name)
}

async function read(
  folder: string,
  directory: string,
  known: readonly string[],
): Promise<{ scenarios: Scenario[]; faults: Fault[] }> {
  const scenarios: Scenario[] = []
  const faults: Fault[] = []
  const names = new Map<string, string>()
  const entries = await readdir(folder).catch(() => [])
  for (const entry of entries.filter(isScenarioFile).sort()) {
    const file = relative(directory, join(folder, entry))
    const yaml = parseYaml(await readFile(join(folder, entry), 'utf8'), file)
    if (yaml.value === undefined) {
      faults.push(...inOrder(yaml.faults))
      continue
    }
    const parsed = scenarioFile.safeParse(yaml.value)
    const found = [...yaml.faults, ...faultsOf(parsed.error, yaml), ...unknownNames(yaml, known)]
    const name = textAt(yaml.value, 'name')
    const other = name && names.get(name)
    if (other) found.push(yaml.fault(['name'], `${other} has the same: ${name}`))
    if (name && !other) names.set(name, file)
    faults.push(...inOrder(found))
    if (parsed.success)
      scenarios.push({
        name: parsed.data.name,
        tags: parsed.data.tags,
        only: parsed.data.only,
        ...(parsed.data.skip === undefined ? {} : { skip: parsed.data.skip }),
        steps: placed(parsed.data.steps, ['steps'], yaml),
        file,
        line: yaml.place(['name']).line,
      })
  }
  return { scenarios, faults }
}

/** The steps with their lines; what a block holds lies under its kind, or under `steps` there. */
function placed(steps: readonly ScenarioStep[], path: PropertyKey[], yaml: Positioned): ScenarioStep[] {
  return steps.map((step, index) => {
    const { line } = yaml.place([...path, index])
    const inside = [...path, index, step.kind]
    if (step.kind === 'repeat')
      return { ...step, line, steps: placed(step.steps, [...inside, 'steps'], yaml) }
    if (step.kind === 'parallel') return { ...step, line, steps: placed(step.steps, inside, yaml) }
    return { ...step, line }
  })
}
