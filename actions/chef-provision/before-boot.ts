import { type Fault, refuse } from '../lib/errors/fault.ts'
import type { StageWork } from '../lib/stage/stage.ts'
import { openToolsRoot } from '../lib/tools/root.ts'
import { rubyFaults } from './chef/syntax.ts'

/**
 * What can be known of the steps before a machine is booted, and only here: with Ruby from the tools, and the
 * environment in which this stage runs.
 *
 * @throws InputError with all faults at once
 */
export async function refuseHopeless(
  work: Pick<StageWork, 'project' | 'log' | 'signal' | 'timed'>,
): Promise<void> {
  const faults: Fault[] = []
  for (const [index, step] of work.project.spec.provision.entries()) {
    if (step.kind !== 'chef_solo') continue
    const variable = step.dataBagSecret?.env
    if (variable !== undefined && !process.env[variable])
      faults.push({
        message: `provision[${index + 1}].chef_solo.data_bag_secret: the environment variable ${variable} is not set`,
      })
    if (work.project.spec.chef.from === 'guest' && !work.project.lock?.tools.deb.length) continue
    const { directory } = work.project
    faults.push(...(await rubyFaults(await openToolsRoot(work), step, { directory, signal: work.signal })))
  }
  refuse(faults)
}
