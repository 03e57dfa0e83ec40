import { ApplianceError } from '../errors/error.ts'
import { run } from '../process/command.ts'
import type { Problem } from './hypervisor.ts'

/** Programs that a driver needs, by name: what to ask each to see that it is there, and what installs it. */
export type Programs = Readonly<Record<string, readonly [ask: string, remedy: string]>>

/** Those of them that are not there. */
export async function missingPrograms(programs: Programs): Promise<Problem[]> {
  const problems: Problem[] = []
  for (const [program, [ask, remedy]] of Object.entries(programs))
    try {
      await run(program, [ask], { allowFailure: true })
    } catch (error) {
      if (!(error instanceof ApplianceError)) throw error
      problems.push({ what: `${program} is not installed`, remedy })
    }
  return problems
}
