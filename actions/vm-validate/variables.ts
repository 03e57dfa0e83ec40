import { randomBytes } from 'node:crypto'
import type { Fault } from '../lib/errors/fault.ts'
import type { Spec } from '../lib/spec/spec.ts'

/** Every `{{name}}` that scenarios know from the start, and which of the values must not show. */
export interface Variables {
  values: Map<string, string>
  secrets: Set<string>
}

/**
 * `name`, `version`, the spec's `variables`, and its `secrets` as `secret.NAME`: from the environment (`env:NAME`),
 * or made for this run alone (`generate`).
 */
export function variablesOf(
  spec: Pick<Spec, 'name' | 'version' | 'variables' | 'secrets'>,
  environment: Readonly<Record<string, string | undefined>>,
): Variables & { faults: Fault[] } {
  const values = new Map([['name', spec.name], ['version', spec.version], ...Object.entries(spec.variables)])
  const secrets = new Set<string>()
  const faults: Fault[] = []
  for (const [name, source] of Object.entries(spec.secrets)) {
    const variable = /^env:(.+)$/.exec(source)?.[1]
    const value =
      source === 'generate' ? randomBytes(18).toString('base64url') : variable && environment[variable]
    if (value) {
      values.set(`secret.${name}`, value)
      secrets.add(value)
    } else if (variable)
      faults.push({ message: `secrets.${name}: the environment variable ${variable} is not set` })
    else faults.push({ message: `secrets.${name}: expected env:NAME or generate, never the secret itself` })
  }
  return { values, secrets, faults }
}
