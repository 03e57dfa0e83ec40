import { readdir, readFile } from 'node:fs/promises'
import { basename, extname, join, relative, resolve } from 'node:path'
import type { Fault } from '../errors/fault.ts'
import { nearest } from '../errors/nearest.ts'
import { textOf } from '../files/text.ts'
import { dataBagFaults } from './data-bags.ts'
import type { Positioned } from './positions.ts'
import { keysAt, listAt, textAt, textsAt, valueAt } from './raw.ts'
import { expandRunList, fileOfRole, roleFiles, roleName, roleOf } from './roles.ts'

interface Recipe {
  cookbook: string
  recipe: string
}

/** `recipe[license_server::web]` → cookbook and recipe; undefined for roles and what Chef does not know either. */
export function recipeOf(entry: string): Recipe | undefined {
  const word = '[A-Za-z0-9_.-]+'
  const name = `(${word})(?:::(${word}))?`
  const match = new RegExp(`^(?:recipe\\[${name}(?:@[^\\]]*)?\\]|${name})$`).exec(entry)
  const cookbook = match?.[1] ?? match?.[3]
  return cookbook === undefined ? undefined : { cookbook, recipe: match?.[2] ?? match?.[4] ?? 'default' }
}

/**
 * What a chef_solo step names and no folder has: recipes, roles, an environment, cookbooks that others depend on; and
 * files that are no JSON. Data bags have a file of their own (data-bags).
 */
export async function cookbookFaults(yaml: Positioned, directory: string): Promise<Fault[]> {
  const faults: Fault[] = []
  for (const [index, step] of listAt(yaml.value, 'provision').entries()) {
    const chef = valueAt(step, 'chef_solo')
    const at = (...path: PropertyKey[]) => ['provision', index, 'chef_solo', ...path]
    const say = (message: string | undefined, ...path: PropertyKey[]) => {
      if (message) faults.push(yaml.fault(at(...path), message))
    }
    const folders = textsAt(chef, 'cookbooks')
    const shelves = await Promise.all(folders.map((folder) => cookbooksIn(resolve(directory, folder))))
    // A folder that is not there is a fault of its own; what lies in it nobody knows.
    // What a Berksfile adds is known when it is locked, and looked at then.
    const solved = valueAt(chef, 'berksfile') !== undefined
    const known = solved || shelves.includes(undefined) ? undefined : shelves.flatMap((shelf) => [...shelf!])
    for (const [key, gem] of solvers)
      if (textAt(chef, key) !== undefined && !toolsHave(yaml, gem))
        say(`needs ${gem}: add ${gem}: "*" to the gems for: tools (mirror.gem)`, key)
    const roles = textAt(chef, 'roles')
    const entries = await expandRunList(
      listAt(chef, 'run_list'),
      roles && resolve(directory, roles),
      textAt(chef, 'environment'),
    )
    for (const { text, index: entry, role } of entries) {
      const name = roleOf(text)
      const fault =
        name === undefined
          ? await entryFault(text, known, directory)
          : await roleFault(name, roles, directory)
      say(role && fault ? `${relative(directory, role)} names ${text}: ${fault}` : fault, 'run_list', entry)
    }
    const used = entries.flatMap(({ text }) => recipeOf(text)?.cookbook ?? [])
    for (const message of await unmetDependencies(used, known ?? [], directory)) say(message, 'cookbooks')
    const attributes = textAt(chef, 'attributes')
    say(attributes && (await attributesFault(attributes, directory)), 'attributes')
    const environment = textAt(chef, 'environment')
    if (environment !== undefined && environment !== '_default')
      say(await environmentFault(environment, textAt(chef, 'environments'), directory), 'environment')
    faults.push(...(await dataBagFaults(yaml, at(), chef, directory)))
    const policy = textAt(chef, 'policy')
    const lock = policy && join(policy, 'Policyfile.lock.json')
    if (lock && (await isFolder(resolve(directory, policy))))
      say(
        (await readFile(resolve(directory, lock)).catch(() => undefined))
          ? await attributesFault(lock, directory)
          : `there is no ${lock}: expected what \`chef export\` made`,
        'policy',
      )
  }
  return faults
}

const solvers = [
  ['berksfile', 'berkshelf'],
  ['policyfile', 'chef-cli'],
] as const

/** Whether a gem is among those of the tools, as far as the spec says so: a Gemfile may name any. */
function toolsHave(yaml: Positioned, gem: string): boolean {
  return listAt(yaml.value, 'mirror', 'gem').some(
    (entry) =>
      textAt(entry, 'for') === 'tools' &&
      (textAt(entry, 'gemfile') !== undefined || keysAt(valueAt(entry, 'gems')).includes(gem)),
  )
}

async function isFolder(path: string): Promise<boolean> {
  return (await readdir(path).catch(() => undefined)) !== undefined
}

/** A role that has no file in its folder, or one that is no JSON. */
async function roleFault(
  name: string,
  folder: string | undefined,
  directory: string,
): Promise<string | undefined> {
  if (folder === undefined) return `the role ${name} needs roles: the folder it is in`
  if (!(await isFolder(resolve(directory, folder)))) return undefined
  const files = await roleFiles(resolve(directory, folder))
  const file = fileOfRole(name, files)
  if (!file) return `there is no role ${name} in ${folder}${suggestion(name, files.map(roleName))}`
  return file.endsWith('.json') ? await attributesFault(relative(directory, file), directory) : undefined
}

async function environmentFault(
  name: string,
  folder: string | undefined,
  directory: string,
): Promise<string | undefined> {
  if (folder === undefined) return `the environment ${name} needs environments: the folder it is in`
  const files = await readdir(resolve(directory, folder)).catch(() => undefined)
  if (!files) return undefined
  const names = files.filter((file) => /\.(rb|json)$/.test(file)).map((file) => basename(file, extname(file)))
  if (!names.includes(name)) return `there is no environment ${name} in ${folder}${suggestion(name, names)}`
  return files.includes(`${name}.json`)
    ? await attributesFault(join(folder, `${name}.json`), directory)
    : undefined
}

/**
 * Cookbooks that the used ones need, and those in turn, as far as their metadata says so in plain words, and no folder
 * has. Nothing else is loaded: what nobody uses may lack what it likes.
 *
 * @see Chef::RunContext::CookbookCompiler#cookbook_order
 */
async function unmetDependencies(
  used: readonly string[],
  cookbooks: readonly Cookbook[],
  directory: string,
): Promise<string[]> {
  const names = cookbooks.map(([name]) => name)
  const faults: string[] = []
  const wanted = [...new Set(used)]
  // Grows while it is gone through.
  for (const name of wanted)
    for (const [, folder] of cookbooks.filter(([one]) => one === name)) {
      const { file, depends } = await metadataOf(folder)
      for (const cookbook of depends) {
        if (!names.includes(cookbook))
          faults.push(
            `${name} depends on the cookbook ${cookbook} (${relative(directory, file)}), which is in no folder${suggestion(cookbook, names)}`,
          )
        else if (!wanted.includes(cookbook)) wanted.push(cookbook)
      }
    }
  return faults
}

/** What a cookbook says of itself; Chef reads its JSON, where there is one, and not its Ruby. */
async function metadataOf(
  folder: string,
): Promise<{ file: string; name: string | undefined; depends: string[] }> {
  const json = join(folder, 'metadata.json')
  const text = await textOf(json)
  if (text) {
    const metadata = parsedOrUndefined(text)
    return {
      file: json,
      name: textAt(metadata, 'name'),
      depends: keysAt(metadata, 'dependencies'),
    }
  }
  const file = join(folder, 'metadata.rb')
  const ruby = await textOf(file)
  const depends = [...ruby.matchAll(/^\s*depends[\s(]+(['"])([^'"]+)\1/gm)].map(([, , name]) => name!)
  return { file, name: /^\s*name[\s(]+(['"])([^'"]+)\1/m.exec(ruby)?.[2], depends }
}

function parsedOrUndefined(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

type Cookbook = [name: string, folder: string]

/** The cookbooks in a folder; undefined when there is no such folder. */
async function cookbooksIn(folder: string): Promise<Cookbook[] | undefined> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined)
  return await (entries &&
    Promise.all(
      entries
        .filter((entry) => !entry.isFile() && !entry.name.startsWith('.'))
        .map(
          async ({ name }): Promise<Cookbook> => [await cookbookName(join(folder, name)), join(folder, name)],
        ),
    ))
}

/** A cookbook is called what its metadata says; by default as its folder. */
async function cookbookName(folder: string): Promise<string> {
  return (await metadataOf(folder)).name ?? basename(folder)
}

async function entryFault(
  text: string,
  cookbooks: readonly Cookbook[] | undefined,
  directory: string,
): Promise<string | undefined> {
  const wanted = recipeOf(text)
  if (!wanted) return `expected recipe[cookbook] or recipe[cookbook::recipe], got ${text}`
  if (!cookbooks) return undefined
  const folders = cookbooks.filter(([name]) => name === wanted.cookbook).map(([, folder]) => folder)
  if (folders.length === 0) {
    const names = cookbooks.map(([name]) => name)
    return `there is no cookbook ${wanted.cookbook}${suggestion(wanted.cookbook, names)}`
  }
  const recipes = (await Promise.all(folders.map(recipesIn))).flat()
  if (recipes.includes(wanted.recipe)) return undefined
  const place = join(relative(directory, folders[0]!), 'recipes', `${wanted.recipe}.rb`)
  return `there is no ${place}${suggestion(wanted.recipe, recipes)}`
}

/** A cookbook's recipes, in Ruby or YAML or JSON; the one of a cookbook that has but one may lie in its folder. */
export async function recipesIn(folder: string): Promise<string[]> {
  const within = await readdir(join(folder, 'recipes')).catch(() => [])
  const beside = await readdir(folder).catch(() => [])
  return [
    ...within.filter(isRecipe).map((name) => basename(name, extname(name))),
    ...beside.filter((name) => /^recipe\.(rb|ya?ml|json)$/.test(name)).map(() => 'default'),
  ]
}

function isRecipe(name: string): boolean {
  return /\.(rb|ya?ml|json)$/.test(name)
}

function suggestion(word: string, known: readonly string[]): string {
  const near = nearest(word, known)
  if (near) return `; did you mean ${near}?`
  return known.length > 0 ? `; there are ${[...known].sort().join(', ')}` : ''
}

async function attributesFault(path: string, directory: string): Promise<string | undefined> {
  const text = await readFile(resolve(directory, path), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? undefined
      : `${path} holds no JSON object`
  } catch (error) {
    return `${path} is no JSON: ${(error as Error).message.replace(/\s*\n\s*/g, ' ')}`
  }
}
