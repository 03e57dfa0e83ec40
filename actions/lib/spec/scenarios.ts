import { readdir, readFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { type Fault, refuse } from '../errors/fault.ts'
import { nearest } from '../errors/nearest.ts'
import { faultsOf, type Positioned, parseYaml } from './positions.ts'
import { type Scenario, scenarioFile } from './scenario.ts'
import type { Spec } from './spec.ts'

/** All scenarios of the spec, in the order of their file names. */
export async function readScenarios(spec: Spec, directory: string): Promise<Scenario[]> {
  if (!spec.validate.scenarios) return []
  const { scenarios, faults } = await read(
    spec.validate.scenarios,
    directory,
    knownNames(spec.variables, spec.secrets),
  )
  refuse(faults)
  return scenarios
}

/** The faults in the scenarios that a spec names, even when the spec has faults of its own. */
export async function scenarioFaults(raw: unknown, directory: string): Promise<Fault[]> {
  const value = raw as { validate?: { scenarios?: unknown }; variables?: unknown; secrets?: unknown } | null
  const folder = value?.validate?.scenarios
  if (typeof folder !== 'string') return []
  const names = knownNames(value?.variables, value?.secrets)
  return (await read(resolve(directory, folder), directory, names)).faults
}

function knownNames(variables: unknown, secrets: unknown): string[] {
  const keys = (map: unknown) => (typeof map === 'object' && map !== null ? Object.keys(map) : [])
  return [...keys(variables), ...keys(secrets).map((name) => `secret.${name}`), 'name', 'version']
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
  for (const entry of entries.filter((name) => /\.ya?ml$/.test(name)).sort()) {
    const file = relative(directory, join(folder, entry))
    const yaml = parseYaml(await readFile(join(folder, entry), 'utf8'), file)
    faults.push(...yaml.faults)
    if (yaml.faults.length > 0) continue
    const parsed = await scenarioFile.safeParseAsync(yaml.value)
    if (!parsed.success) {
      faults.push(...faultsOf(parsed.error, yaml, file))
      continue
    }
    const scenario: Scenario = {
      ...parsed.data,
      file,
      lines: parsed.data.steps.map((_, index) => yaml.place(['steps', index]).line),
    }
    faults.push(...unknownNames(scenario, known, yaml))
    const other = names.get(scenario.name)
    if (other)
      faults.push({ file, ...yaml.place(['name']), message: `${other} has the same name: ${scenario.name}` })
    names.set(scenario.name, file)
    scenarios.push(scenario)
  }
  return { scenarios, faults }
}

/** `{{name}}`s that neither the spec nor an earlier step of the scenario gives. */
function unknownNames(scenario: Scenario, known: readonly string[], yaml: Positioned): Fault[] {
  const faults: Fault[] = []
  const names = [...known]
  for (const [index, step] of scenario.steps.entries()) {
    for (const [, name] of JSON.stringify(step).matchAll(/\{\{\s*([A-Za-z_][\w.-]*)\s*\}\}/g))
      if (!names.includes(name!)) {
        const near = nearest(name!, names)
        faults.push({
          file: scenario.file,
          ...yaml.place(['steps', index]),
          message: `{{${name}}} is not known here${near ? `; did you mean {{${near}}}?` : ': give it under variables: or secrets: in the spec, or save it in an earlier step'}`,
        })
      }
    if (step.save) names.push(step.save)
  }
  return faults
}
