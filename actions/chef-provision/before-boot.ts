import { readdir } from 'node:fs/promises'
import { type Fault, refuse } from '../lib/errors/fault.ts'
import { nearest } from '../lib/errors/nearest.ts'
import { recipeOf } from '../lib/spec/cookbooks.ts'
import type { StepOf } from '../lib/spec/provision-step.ts'
import type { StageWork } from '../lib/stage/stage.ts'
import { openToolsRoot } from '../lib/tools/root.ts'
import { rubyFaults } from './chef/syntax.ts'
import { vendor, withVendored } from './chef/vendored.ts'

/**
 * What can be known of the steps before a machine is booted, and only here: with Ruby from the tools, and the
 * environment in which this stage runs.
 *
 * @throws InputError with all faults at once
 */
export async function refuseHopeless(
  work: Pick<StageWork, 'project' | 'log' | 'signal' | 'timed' | 'workDirectory'>,
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
    const root = await openToolsRoot(work)
    if (step.solved) {
      await vendor(step.solved, root, work)
      faults.push(...(await lackingCookbooks(step, index, work)))
    }
    faults.push(...(await rubyFaults(root, step, { directory, signal: work.signal })))
  }
  refuse(faults)
}

/** What the run list names and neither the project nor its Berksfile has. */
export async function lackingCookbooks(
  step: StepOf<'chef_solo'>,
  index: number,
  work: Pick<StageWork, 'workDirectory'>,
): Promise<Fault[]> {
  const { cookbooks } = withVendored(step, work)
  const there = (await Promise.all(cookbooks.map((folder) => readdir(folder)))).flat()
  return step.runList.flatMap((entry) => {
    const cookbook = recipeOf(entry)?.cookbook
    if (cookbook === undefined || there.includes(cookbook)) return []
    const near = nearest(cookbook, there)
    return [
      {
        message: `provision[${index + 1}].chef_solo.run_list: there is no cookbook ${cookbook}${near ? `; did you mean ${near}?` : `; ${step.solved!.name} and cookbooks: give ${there.sort().join(', ')}`}`,
      },
    ]
  })
}
