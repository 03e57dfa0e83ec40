import { readFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { type Fault, refuse } from '../errors/fault.ts'
import { cookbookFaults } from './cookbooks.ts'
import { faultsOf, parseYaml } from './positions.ts'
import { scenarioFaults } from './scenarios.ts'
import { type Spec, specSchema } from './spec.ts'

/** What the release workflow or the command line says instead of the spec. */
export interface SpecOverrides {
  version?: string
}

/**
 * Reads `appliance.yml` and everything it names that can be judged without downloading or booting: scenarios, the
 * run list's cookbooks, referenced files.
 *
 * @throws InputError with every fault there is, each with file, line and column
 */
export async function readSpec(path: string, overrides: SpecOverrides = {}): Promise<Spec> {
  const file = basename(path)
  const directory = dirname(path)
  const yaml = parseYaml(await readFile(path, 'utf8'), file)
  refuse(yaml.faults)
  const value = yaml.value ?? {}
  const meant =
    overrides.version && typeof value === 'object' ? { ...value, version: overrides.version } : value
  const parsed = await specSchema(directory).safeParseAsync(meant)
  const faults: Fault[] = parsed.success ? [] : faultsOf(parsed.error, yaml, file)
  if (parsed.success) faults.push(...(await cookbookFaults(parsed.data, yaml, file)))
  faults.push(...(await scenarioFaults(value, directory)))
  refuse(faults)
  return parsed.data!
}
