import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Definition } from '../definition/definition.ts'
import { isoSourceOf, isoWanted } from '../definition/iso-source.ts'
import { type Fault, refuse } from '../errors/fault.ts'
import { exists } from '../files/exists.ts'
import { readLock } from '../lock/file.ts'
import { consistencyFaults } from './consistency.ts'
import { cookbookFaults } from './cookbooks.ts'
import { notThere } from './existing.ts'
import { definitionOf, machineOf, withMachine } from './machine.ts'
import { isRemote } from './mirror/git.ts'
import { sourceName } from './mirror/mirror.ts'
import { impossibleNames, namesInProvision } from './names.ts'
import { faultsOf, inOrder, type Positioned, parseYaml } from './positions.ts'
import { listAt, textAt } from './raw.ts'
import { recipeFaults } from './recipes.ts'
import { scenarioFaults } from './scenarios.ts'
import { type Spec, specSchema, version } from './spec.ts'

/** What the release workflow or the command line says instead of the spec. */
export interface SpecOverrides {
  version?: string
}

/**
 * Reads `appliance.yml` and everything it names that can be judged without downloading or booting: scenarios, the
 * run list's cookbooks and their Ruby, referenced files.
 *
 * @throws InputError with every fault there is, each with file, line and column; files are relative to the spec's
 *   folder
 */
export async function readSpec(path: string, overrides: SpecOverrides = {}): Promise<Spec> {
  const directory = dirname(path)
  const yaml = parseYaml(await readFile(path, 'utf8'), basename(path))
  if (yaml.value === undefined) refuse(inOrder(yaml.faults))
  const parsed = specSchema(directory).safeParse(overridden(yaml.value ?? {}, overrides))
  const definition = definitionOf(definedIn(yaml, directory), directory)
  const faults = [
    ...overrideFaults(overrides),
    ...inOrder([
      ...yaml.faults,
      ...faultsOf(parsed.error, yaml),
      ...consistencyFaults(yaml, machineOf(definition)),
      ...impossibleNames(yaml),
      ...namesInProvision(yaml),
      ...(await gitFaults(yaml, directory)),
      ...(await cookbookFaults(yaml, directory)),
      ...isoFaults(yaml, definition),
    ]),
    ...(definition?.faults ?? []),
    ...(await recipeFaults(yaml, directory)),
    ...(await scenarioFaults(yaml, directory)),
  ]
  refuse(faults, definition?.warnings)
  return withMachine(parsed.data!, definition)
}

/** The definition that the spec names, as far as that can be told from a spec with faults in it. */
function definedIn(yaml: Positioned, directory: string) {
  const folder = textAt(yaml.value, 'basebox', 'definition')
  const there = folder !== undefined && existsSync(resolve(directory, folder))
  const strategy = textAt(yaml.value, 'basebox', 'strategy') === 'bootstrap' ? 'bootstrap' : 'install'
  return there ? ({ definition: resolve(directory, folder), strategy } as const) : {}
}

/** An installer's image that nobody would mirror. */
function isoFaults(yaml: Positioned, definition: Definition | undefined): Fault[] {
  const iso = definition?.recipe?.iso
  const sources = listAt(yaml.value, 'mirror', 'iso').map((entry) => {
    const url = textAt(entry, 'url') ?? ''
    return { url, name: sourceName('iso', textAt(entry, 'name'), url) ?? '' }
  })
  const installs = textAt(yaml.value, 'basebox', 'strategy') !== 'bootstrap'
  if (!iso || !installs || isoSourceOf(iso, sources)) return []
  return [yaml.fault(['basebox', 'definition'], isoWanted(iso))]
}

function overridden(value: unknown, overrides: SpecOverrides): unknown {
  if (overrides.version === undefined || typeof value !== 'object') return value
  // A bad one has a fault of its own, with no place in the file.
  return { ...value, version: version.safeParse(overrides.version).data ?? '0' }
}

function overrideFaults(overrides: SpecOverrides): Fault[] {
  if (overrides.version === undefined) return []
  const issues = version.safeParse(overrides.version).error?.issues ?? []
  return issues.map(({ message }) => ({ message: `version: ${message}` }))
}

/** Git repositories and bundles of this computer that are not there, but for those that a lock, so a mirror, may have. */
async function gitFaults(yaml: Positioned, directory: string): Promise<Fault[]> {
  const faults: Fault[] = []
  // What is wrong with the lock is told where it is needed.
  const lock = await readLock(join(directory, 'appliance.lock.json')).catch(() => undefined)
  const locked = new Set(lock?.git.map((source) => source.url))
  for (const [index, entry] of listAt(yaml.value, 'mirror', 'git').entries()) {
    const url = textAt(entry, 'url')
    if (!url || isRemote(url) || locked.has(url)) continue
    const there = await exists(resolve(directory, url))
    if (!there) faults.push(yaml.fault(['mirror', 'git', index, 'url'], notThere(url, directory)))
  }
  return faults
}
