import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { RunnerMachine } from './machine.ts'
import { onlyKnown, type StepText } from './workflow.ts'

/** A repository as others see it: its name and a folder with its files. */
export interface Repository {
  /** owner/name */
  name: string
  folder: string
}

export interface ActionText {
  inputs?: Record<string, { default?: unknown; required?: boolean }>
  outputs?: Record<string, { value?: unknown }>
  runs: {
    using: string
    main?: string
    post?: string
    'post-if'?: string
    steps?: StepText[]
  }
}

export interface ResolvedAction {
  folder: string
  text: ActionText
  /** Where `$/` leads from within it. */
  repository: Repository
}

/** Where the actions of a workflow are looked for. */
export interface ActionPlaces {
  workspace: string
  machine: RunnerMachine
  /** The repository of the file that says `uses:`. */
  own: Repository
  sha: string
  /** owner/name → folder of its files, for `owner/name/…@ref`. */
  others: Readonly<Record<string, string>>
}

/** Finds an action by each of the addresses that there are; undefined for a repository that is not at hand. */
export async function resolveAction(uses: string, places: ActionPlaces): Promise<ResolvedAction | undefined> {
  if (uses.startsWith('./')) return await read(join(places.workspace, uses), places.own)
  if (uses.startsWith('$/')) {
    const folder = await places.machine.unpacked(places.own.name, places.sha, places.own.folder)
    return await read(join(folder, uses.slice(2)), places.own)
  }
  const [, name, path = '', ref] = /^([^/@]+\/[^/@]+)(\/[^@]+)?@(.+)$/.exec(uses) ?? []
  if (name === undefined) throw new Error(`this runner does not know how to use ${uses}`)
  const files = places.others[name]
  if (files === undefined) return undefined
  const folder = await places.machine.unpacked(name, ref!, files)
  return await read(join(folder, path), { name, folder: files })
}

async function read(folder: string, repository: Repository): Promise<ResolvedAction> {
  const text = parse(await readFile(join(folder, 'action.yml'), 'utf8')) as ActionText
  const where = join(folder, 'action.yml')
  onlyKnown(text, ['name', 'author', 'description', 'branding', 'inputs', 'outputs', 'runs'], where)
  onlyKnown(text.runs, ['using', 'main', 'post', 'post-if', 'steps'], `${where}: runs`)
  if (!['node24', 'composite'].includes(text.runs.using))
    throw new Error(`${where}: this runner does not know using: ${text.runs.using}`)
  return { folder, text, repository }
}
