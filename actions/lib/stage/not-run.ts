import { ApplianceError } from '../errors/error.ts'

/**
 * What to say when a stage is needed that has not been run.
 *
 * @param carried the action that needs it has an input `carry`, by which the stage's output may come from another job
 */
export function notRun(buildDirectory: string, stage: string, carried: boolean): ApplianceError {
  return new ApplianceError('stale', `${stage} has not been run yet in ${buildDirectory}`, {
    hint: process.env.GITHUB_ACTIONS === 'true' ? stepBefore(stage, carried) : commandBefore(stage),
  })
}

function commandBefore(stage: string): string {
  return `Run \`appliance ${stage}\` first, or \`appliance build\`, which runs all stages in order.`
}

function stepBefore(stage: string, carried: boolean): string {
  const elsewhere = carried ? ', or have both jobs say the same `carry`' : ''
  return `Use ${stage} in a step before this one, in the same job and working-directory${elsewhere}.`
}
