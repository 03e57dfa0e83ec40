import { access, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { Fault } from '../errors/fault.ts'
import type { Positioned } from './positions.ts'
import type { Spec } from './spec.ts'

/** `recipe[license_server::web]` → cookbook and recipe; undefined for roles and other things Chef knows. */
export function recipeOf(entry: string): { cookbook: string; recipe: string } | undefined {
  const match = /^(?:recipe\[([^\]@]+)(?:@[^\]]*)?\]|([A-Za-z0-9_-]+(?:::[A-Za-z0-9_-]+)?))$/.exec(entry)
  const name = match?.[1] ?? match?.[2]
  if (!name) return undefined
  const [cookbook, recipe] = name.split('::')
  return { cookbook: cookbook!, recipe: recipe ?? 'default' }
}

/** Recipes that the run list names and no cookbook folder has; attribute files that are no JSON. */
export async function cookbookFaults(spec: Spec, yaml: Positioned, file: string): Promise<Fault[]> {
  const faults: Fault[] = []
  for (const [index, step] of spec.provision.entries()) {
    if (step.kind !== 'chef_solo') continue
    const at = (...path: PropertyKey[]) => ({
      file,
      ...yaml.place(['provision', index, 'chef_solo', ...path]),
    })
    for (const [entry, text] of step.runList.entries()) {
      const wanted = recipeOf(text)
      if (!wanted) continue
      const candidates = step.cookbooks.map((folder) =>
        join(folder, wanted.cookbook, 'recipes', `${wanted.recipe}.rb`),
      )
      const found = await Promise.all(candidates.map(exists))
      if (!found.includes(true))
        faults.push({
          ...at('run_list', entry),
          message: `run_list: there is no ${candidates.map((path) => relative(process.cwd(), path)).join(' or ')}`,
        })
    }
    if (step.attributesFile && (await exists(step.attributesFile)))
      try {
        JSON.parse(await readFile(step.attributesFile, 'utf8'))
      } catch (error) {
        faults.push({ ...at('attributes'), message: `attributes: ${(error as Error).message}` })
      }
  }
  return faults
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
