import * as core from '@actions/core'
import type { Execution } from '../stage/execute.ts'

/** A stage's outputs as a workflow sees them: files and folders by absolute path, values as they are. */
export function outputsOf({
  record,
  outputs,
  thisRun,
}: Pick<Execution, 'record' | 'outputs' | 'thisRun'>): Record<string, string> {
  const recorded = Object.entries(record.outputs).map(([name, output]) => [
    name,
    'value' in output ? output.value : outputs.path(name),
  ])
  return { ...Object.fromEntries(recorded), ...thisRun.values }
}

/** Hands outputs to the steps that follow. */
export function setOutputs(outputs: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(outputs)) core.setOutput(name, value)
}
