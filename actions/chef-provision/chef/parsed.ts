import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { parseRuby } from '../../lib/definition/parser.ts'
import { SourceText } from '../../lib/definition/source.ts'
import type { Fault } from '../../lib/errors/fault.ts'
import type { ProvisionStep } from '../../lib/spec/spec.ts'

/**
 * The first syntax error of each Ruby file that the steps hand to Chef, by Prism: before the mirror has brought the
 * Ruby that will run them, which has the last word (syntax.ts), also on templates.
 *
 * @param directory what the files are named relative to
 */
export async function parsedFaults(steps: readonly ProvisionStep[], directory: string): Promise<Fault[]> {
  const folders = steps.flatMap((step) =>
    step.kind === 'chef_solo' ? [...step.cookbooks, step.policy, step.roles, step.environments] : [],
  )
  const faults: Fault[] = []
  for (const folder of new Set(folders))
    for (const file of folder === undefined ? [] : await rubyFiles(folder)) {
      const source = new SourceText(relative(directory, file), await readFile(file, 'utf8'))
      const error = parseRuby(source.text)?.errors[0]
      if (error) faults.push(source.fault(error.location, `syntax error: ${error.message}`))
    }
  return faults
}

/** Not what a cookbook only carries, or is tested with. */
async function rubyFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.rb'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/\/(files|spec|test)\//.test(relative(folder, path)))
    .sort()
}
