import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { StepOf } from '../../lib/spec/provision-step.ts'
import { type ChefFailure, messageLines } from './report.ts'

/**
 * Chef's failure in one line: the resource, where it is declared in the project, and what was wrong.
 *
 * @param where a file of the guest → of the project
 */
export function failureMessage(failure: ChefFailure, where: (path: string) => string): string {
  const place = placeOf(failure, where)
  const what = failure.resource
    ? `${failure.resource} ${failure.action}${place ? ` (${place})` : ''}`
    : place || 'the run'
  const message = messageLines(failure.message)
  const shown = message.length > 6 ? [...message.slice(0, 2), '…', ...message.slice(-3)] : message
  return `${what}: ${failure.error}: ${shown.join(' | ').slice(0, 1200)}`
}

/** `cookbooks/web/recipes/default.rb:12`; empty where Chef names no place. */
export function placeOf(failure: ChefFailure, where: (path: string) => string): string {
  const line = failure.line || failure.trace[0] || ''
  const [, path, number] = /^(.+?):(\d+)(?::|$)/.exec(line) ?? []
  if (path && number) return `${where(path)}:${number}`
  return failure.file ? where(failure.file) : ''
}

/**
 * Leads from Chef's copy of a cookbook in the guest to the one it was made of: cookbooks are known by their folders'
 * names.
 *
 * @param shown what a person knows a file by
 */
export async function projectPaths(
  { cookbooks, policy }: Pick<StepOf<'chef_solo'>, 'cookbooks' | 'policy'>,
  shown: (file: string) => string,
): Promise<(path: string) => string> {
  const homes = new Map<string, string>()
  for (const shelf of [...cookbooks, ...(policy ? [join(policy, 'cookbook_artifacts')] : [])])
    for (const name of await readdir(shelf).catch(() => [])) homes.set(name, join(shelf, name))
  return (path) => {
    const [, name, rest] = /\/(?:cookbooks(?:-\d+)?|cookbook_artifacts)\/([^/]+)\/(.+)$/.exec(path) ?? []
    const home = name && homes.get(name)
    return home && rest ? shown(join(home, rest)) : basename(path)
  }
}
