import { type Fault, refuse } from '../errors/fault.ts'
import type { Log } from '../log/log.ts'

/** How our reusable workflows hand on their caller's secret `env-secrets`. */
const VARIABLE = 'APPLIANCE_ENV_SECRETS'

/** What a caller cannot mean: the runner's own, and what changes programs. */
const RESERVED = /^(GITHUB_|RUNNER_|ACTIONS_|INPUT_|APPLIANCE_STEP$|LD_|NODE_|PATH$|HOME$)/i

/**
 * Puts what a reusable workflow was handed into the environment, masked, for the spec's `env:NAME`. GitHub masks a
 * secret by its lines as they stand, and so `NAME=value`, never `value` alone. One without a value is not set: so a
 * stage says itself that a secret of the repository is missing, if it needs it.
 *
 * @throws InputError for lines that say nothing, by number: what stands in them must not show
 */
export function takeEnvSecrets(log: Pick<Log, 'mask'>, env: NodeJS.ProcessEnv = process.env): void {
  const { variables, faults } = envSecrets(env[VARIABLE] ?? '')
  delete env[VARIABLE]
  for (const value of Object.values(variables)) log.mask(value)
  refuse(faults)
  for (const [name, value] of Object.entries(variables)) if (value !== '') env[name] = value
}

/**
 * `NAME=value`, or `NAME<<END`, the value's lines, `END`.
 * @see https://docs.github.com/actions/reference/workflow-commands#environment-files the same for GITHUB_ENV
 */
export function envSecrets(text: string): { variables: Record<string, string>; faults: Fault[] } {
  const variables: Record<string, string> = {}
  const faults: Fault[] = []
  const lines = text.split(/\r?\n/)
  for (let at = 0; at < lines.length; at++) {
    if (lines[at]!.trim() === '') continue
    const fault = (what: string) =>
      void faults.push({ message: `secret env-secrets, line ${at + 1}: ${what}` })
    const [, name, sign, rest] = /^\s*([A-Za-z_]\w*)(=|<<)(.*)$/.exec(lines[at]!) ?? []
    if (name === undefined || (sign === '<<' && rest === '')) {
      fault("expected NAME=value or, for more than a line, NAME<<END, the value's lines, END")
      continue
    }
    let value = rest!
    if (sign === '<<') {
      const end = lines.indexOf(rest!, at + 1)
      // What follows may be the value: nothing more can be said about it.
      if (end < 0) {
        fault(`the value of ${name} has no end: no line after it is what stands behind <<`)
        break
      }
      value = lines.slice(at + 1, end).join('\n')
      at = end
    }
    if (RESERVED.test(name)) fault(`${name} is not for a spec's secrets: give it another name`)
    else variables[name] = value
  }
  return { variables, faults }
}
