import { readdir } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import * as nodes from '@ruby/prism/src/nodes.js'
import { parseRuby } from '../definition/parser.ts'
import { textOf } from '../files/text.ts'
import { textsAt, valueAt } from './raw.ts'

export interface RunListEntry {
  /** `recipe[web]`, `role[front]`. */
  text: string
  /** Index of the entry of the step's own run list that leads to it. */
  index: number
  /** File of the role that names it; none where the step itself does. */
  role?: string
}

/**
 * A run list with what its roles have in theirs, role within role, as far as their files say so in plain words: Ruby
 * that computes names is left out. A role's entries follow it.
 *
 * @param runList texts; whatever else is left out
 * @param roles the folder they are in
 * @see https://docs.chef.io/roles/ and Chef::Role.from_disk
 */
export async function expandRunList(
  runList: readonly unknown[],
  roles: string | undefined,
  environment: string | undefined,
): Promise<RunListEntry[]> {
  const files = roles === undefined ? [] : await roleFiles(roles)
  const found: RunListEntry[] = []
  const seen = new Set<string>()
  const add = async (entry: RunListEntry) => {
    found.push(entry)
    const name = roleOf(entry.text)
    if (name === undefined || seen.has(name)) return
    seen.add(name)
    const role = fileOfRole(name, files)
    for (const text of role === undefined ? [] : runListIn(role, await textOf(role), environment))
      await add({ text, index: entry.index, role: role! })
  }
  for (const [index, text] of runList.entries()) if (typeof text === 'string') await add({ text, index })
  return found
}

/** `role[front]` → front. */
export function roleOf(entry: string): string | undefined {
  return /^role\[([^\]]*)\]$/.exec(entry)?.[1]
}

/** A folder's files of roles, in whatever folder below it: Chef knows them by their names alone. */
export async function roleFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => !entry.isDirectory() && /\.(rb|json)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
}

/** As Chef does, JSON before Ruby. */
export function fileOfRole(name: string, files: readonly string[]): string | undefined {
  const named = (extension: string) => files.find((file) => basename(file) === `${name}${extension}`)
  return named('.json') ?? named('.rb')
}

export function roleName(file: string): string {
  return basename(file, extname(file))
}

function runListIn(file: string, text: string, environment: string | undefined): string[] {
  const lists = file.endsWith('.json') ? listsOfJson(text) : listsOfRuby(text)
  return (environment === undefined ? undefined : lists.of[environment]) ?? lists.default
}

/** A role's run list, and those that it has for environments. */
interface RunLists {
  default: string[]
  of: Record<string, string[]>
}

function listsOfJson(text: string): RunLists {
  let role: unknown
  try {
    role = JSON.parse(text)
  } catch {
    return { default: [], of: {} } // a fault of its own
  }
  const of = valueAt(role, 'env_run_lists')
  const names = typeof of === 'object' && of !== null ? Object.keys(of) : []
  return {
    default: textsAt(role, valueAt(role, 'run_list') === undefined ? 'recipes' : 'run_list'),
    of: Object.fromEntries(names.map((name) => [name, textsAt(of, name)])),
  }
}

function listsOfRuby(text: string): RunLists {
  const lists: RunLists = { default: [], of: {} }
  const body = parseRuby(text)?.value.statements.body ?? []
  for (const call of body as unknown as nodes.Node[]) {
    if (!(call instanceof nodes.CallNode) || call.receiver) continue
    const given = (call.arguments_?.arguments_ ?? []) as unknown as nodes.Node[]
    if (call.name === 'run_list' || call.name === 'recipes') lists.default = given.flatMap(textsOf)
    if (!/^env_run_lists?(_add)?$/.test(call.name)) continue
    for (const [name, list] of given.flatMap(pairsOf)) {
      if (name === '_default') lists.default = list
      else lists.of[name] = list
    }
  }
  return lists
}

/** The texts that an argument gives in plain words. */
function textsOf(node: nodes.Node): string[] {
  if (node instanceof nodes.StringNode) return [node.unescaped.value]
  if (node instanceof nodes.ArrayNode) return (node.elements as unknown as nodes.Node[]).flatMap(textsOf)
  return []
}

function pairsOf(node: nodes.Node): [string, string[]][] {
  if (!(node instanceof nodes.KeywordHashNode || node instanceof nodes.HashNode)) return []
  return (node.elements as unknown as nodes.Node[]).flatMap((pair): [string, string[]][] => {
    if (!(pair instanceof nodes.AssocNode)) return []
    const [name] = textsOf(pair.key as unknown as nodes.Node)
    return name === undefined ? [] : [[name, textsOf(pair.value as unknown as nodes.Node)]]
  })
}
