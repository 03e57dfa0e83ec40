import { readFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { parseRuby } from '../definition/parser.ts'
import { SourceText } from '../definition/source.ts'
import type { Fault } from '../errors/fault.ts'
import { followedTree } from '../files/followed.ts'
import { holdsBuild } from './existing.ts'
import type { Positioned } from './positions.ts'
import { listAt, textAt, textsAt, valueAt } from './raw.ts'

/** Of a cookbook's folders those that it only carries, or is tested with: no Ruby of Chef's. */
export const notChefs = /\/(files|spec|test)\//

/**
 * The first syntax error of each Ruby file that the steps hand to Chef, by Prism: before the mirror has brought the
 * Ruby that will run them, which has the last word, also on templates.
 */
export async function recipeFaults(yaml: Positioned, directory: string): Promise<Fault[]> {
  const folders = listAt(yaml.value, 'provision').flatMap((step) => {
    const chef = valueAt(step, 'chef_solo')
    const others = ['policy', 'roles', 'environments'].map((key) => textAt(chef, key))
    return [...textsAt(chef, 'cookbooks'), ...others.filter((path) => path !== undefined)]
  })
  const faults: Fault[] = []
  for (const folder of new Set(folders)) {
    const path = resolve(directory, folder)
    // Such a folder is a fault of its own, and may hold anything at all.
    if (holdsBuild(path, directory)) continue
    for (const file of await rubyFiles(path)) {
      const source = new SourceText(relative(directory, file), await readFile(file, 'utf8'))
      const error = parseRuby(source.text)?.errors[0]
      if (error) faults.push(source.fault(error.location, `syntax error: ${error.message}`))
    }
  }
  return faults
}

async function rubyFiles(folder: string): Promise<string[]> {
  // That there is no such folder, the schema says.
  const tree = await followedTree(folder).catch(() => [])
  return tree
    .filter(({ path, kind }) => kind === 'file' && path.endsWith('.rb') && !notChefs.test(path))
    .map(({ path }) => join(folder, path))
}
