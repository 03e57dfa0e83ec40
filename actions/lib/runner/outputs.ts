import * as core from '@actions/core'
import type { Execution } from '../stage/execute.ts'

/** A stage's outputs as a workflow sees them: files and folders by absolute path, values as they are. */
export function outputsOf({
  record,
  outputs,
}: Pick<Execution, 'record' | 'outputs'>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(record.outputs).map(([name, output]) => [
      name,
      'value' in output ? output.value : outputs.path(name),
    ]),
  )
}

/** Hands outputs to the steps that follow. */
export function setOutputs(outputs: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(outputs)) core.setOutput(name, value)
}
