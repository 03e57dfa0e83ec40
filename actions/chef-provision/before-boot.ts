import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Fault, refuse } from '../lib/errors/fault.ts'
import { nearest } from '../lib/errors/nearest.ts'
import { recipeOf, recipesIn } from '../lib/spec/cookbooks.ts'
import type { StepOf } from '../lib/spec/provision-step.ts'
import { expandRunList } from '../lib/spec/roles.ts'
import type { StageWork } from '../lib/stage/stage.ts'
import { openToolsRoot } from '../lib/tools/root.ts'
import { rubyFaults } from './chef/syntax.ts'
import { knownPath, vendor, withVendored } from './chef/vendored.ts'

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
    const root = await openToolsRoot(work)
    if (step.solved) {
      await vendor(step.solved, root, work)
      faults.push(...(await lackingCookbooks(step, index, work)))
    }
    const handed = withVendored(step, work)
    const shown = knownPath(step, work)
    faults.push(...(await rubyFaults(root, handed, { shown, signal: work.signal })))
  }
  refuse(faults)
}

/** What the run list, or that of one of its roles, names and neither the project nor its Berksfile has. */
export async function lackingCookbooks(
  step: StepOf<'chef_solo'>,
  index: number,
  work: Pick<StageWork, 'workDirectory' | 'project'>,
): Promise<Fault[]> {
  const { cookbooks } = withVendored(step, work)
  const homes = new Map<string, string>()
  for (const shelf of cookbooks) for (const name of await readdir(shelf)) homes.set(name, join(shelf, name))
  const faults: Fault[] = []
  for (const { text, role } of await expandRunList(step.runList, step.roles, step.environment)) {
    const wanted = recipeOf(text)
    if (!wanted) continue
    const { cookbook, recipe } = wanted
    const home = homes.get(cookbook)
    const there = home === undefined ? [...homes.keys()] : await recipesIn(home)
    if (home !== undefined && there.includes(recipe)) continue
    const lacking = home === undefined ? `cookbook ${cookbook}` : `recipe ${recipe} in ${cookbook}`
    const near = nearest(home === undefined ? cookbook : recipe, there)
    const instead = home === undefined ? `${step.solved!.name} and cookbooks: give` : 'it has'
    const from = role === undefined ? '' : `${knownPath(step, work)(role)} names ${text}: `
    const hint = near ? `did you mean ${near}?` : `${instead} ${there.sort().join(', ')}`
    faults.push({
      message: `provision[${index + 1}].chef_solo.run_list: ${from}there is no ${lacking}; ${hint}`,
    })
  }
  return faults
}
