import { isAbsolute, resolve } from 'node:path'
import { parseBootCommand } from '../lib/definition/boot-command.ts'
import type { Fault } from '../lib/errors/fault.ts'
import { nearest } from '../lib/errors/nearest.ts'
import { exists } from '../lib/files/exists.ts'
import type { Capability, Hypervisor } from '../lib/hypervisor/hypervisor.ts'
import { everyStep, type Scenario, type ScenarioStep } from '../lib/spec/scenario.ts'
import { reservedKeys } from '../lib/spec/step.ts'
import type { Matrix, Suite } from '../lib/spec/validate.ts'

/**
 * What the schema cannot know about scenarios: patterns that are none, and uploads of what will not be there.
 *
 * @param run those that will be run, which must not need what the driver cannot do; one that is skipped may
 */
export async function stepFaults(
  scenarios: readonly Scenario[],
  project: string,
  { name, can }: Pick<Hypervisor, 'name' | 'can'> = {
    name: 'qemu',
    can: ['power', 'console', 'cable', 'hardware'],
  },
  run: readonly Scenario[] = scenarios,
): Promise<Fault[]> {
  const faults: Fault[] = []
  for (const scenario of scenarios) {
    const { steps, file } = scenario
    const runs = scenario.skip === undefined && run.includes(scenario)
    const downloaded = new Set<string>()
    const remembered = new Set<string>()
    let cut = false
    for (const step of everyStep(steps)) {
      const say = (message: string) =>
        faults.push({ file, ...(step.line === undefined ? {} : { line: step.line }), message })
      for (const [key, pattern] of patternsOf(step)) {
        const wrong = patternFault(pattern)
        if (wrong) say(`${key}: /${pattern}/ is no regular expression: ${wrong}`)
      }
      const valueless = step.save === undefined ? undefined : whyNoValue(step)
      if (valueless) say(`${step.kind}: nothing to save: ${valueless}`)
      if (step.kind === 'download') {
        if (isAbsolute(step.to) || step.to.split('/').includes('..'))
          say(`download to ${step.to}: give a path inside the scenario's own folder, e.g. backup.tar`)
        downloaded.add(step.to)
      }
      for (const [what, from] of neededFiles(step))
        if (!from.includes('{{') && !(await isThere(from, downloaded, project)))
          say(`there is no ${from} to ${what}: no earlier step downloads it, and it is not in ${project}`)
      if (step.kind === 'boot')
        for (const path of [step.ova, step.disk])
          if (path !== undefined && !path.includes('{{') && !(await exists(resolve(project, path))))
            say(`there is no ${path} to boot in ${project}`)
      if (step.kind === 'console')
        for (const { type } of step.lines)
          for (const { message } of type ? parseBootCommand([type]).faults : []) say(message)
      const lacking = runs && neededOfDriver(step).find((capability) => !can.includes(capability))
      if (lacking) say(`${step.kind} needs what ${name} cannot do: ${lacking}`)
      if (step.kind === 'network' && step.state !== undefined) cut = step.state === 'cut'
      else if (step.kind === 'rollback' || neededOfDriver(step).includes('hardware')) cut = false
      if (cut && ['reboot', 'power_off', 'power_cut'].includes(step.kind))
        say(`${step.kind} with the network cut: write network: restored before, or boot: { nic: none }`)
      if (step.kind === 'snapshot') remembered.add(step.to)
      if (step.kind === 'rollback' && step.to !== undefined && !remembered.has(step.to))
        say(`no earlier step takes a snapshot ${step.to}${suggestion(step.to, [...remembered])}`)
    }
  }
  return faults
}

/** Scenarios that a matrix names and that are not there. */
export function matrixFaults(matrix: Matrix | undefined, scenarios: readonly Scenario[]): Fault[] {
  const known = scenarios.map(({ name }) => name)
  return (matrix?.scenarios ?? [])
    .filter((name) => !known.includes(name))
    .map((name) => ({
      message: `validate.matrix.scenarios: there is no scenario "${name}"${suggestion(name, known)}`,
    }))
}

/** Why such a step has no value although its kind has. */
function whyNoValue(step: ScenarioStep): string | undefined {
  if (step.kind === 'file' && step.contains === undefined)
    return 'the value of a file is its text, which contains: asks for ("contains: ^" takes all of it)'
  if (step.kind === 'package' && step.installed === false)
    return 'the value of a package is its version, and this one is not to be installed'
  if (step.kind === 'journal' && step.has === undefined)
    return 'the value of the journal is the entry that has: asks for'
  const by = typeof step.save === 'object' ? Object.values(step.save) : []
  if (by.some(({ header }) => header !== undefined) && !('path' in step && step.kind !== 'file'))
    return 'headers are of HTTP answers'
  return undefined
}

/** What only some drivers can do. */
function neededOfDriver(step: ScenarioStep): Capability[] {
  switch (step.kind) {
    case 'power_off':
    case 'power_cut':
      return ['power']
    case 'console':
      return ['console']
    case 'network':
      return [step.state !== undefined || step.delay !== undefined ? 'cable' : 'hardware']
    case 'boot':
      return Object.keys(step).some((key) => !['kind', 'line', ...reservedKeys].includes(key))
        ? ['hardware']
        : []
    case 'disk':
      return step.add === undefined ? [] : ['hardware']
    case 'memory':
      return step.size === undefined ? [] : ['hardware']
    default:
      return []
  }
}

/** Files of this computer that a step sends, and what it does with them. */
function neededFiles(step: ScenarioStep): [what: string, from: string][] {
  if (step.kind === 'upload') return [['upload', step.from]]
  if (!('path' in step) || step.kind === 'file') return []
  const parts = Object.values(step.multipart ?? {}).flatMap((value) =>
    typeof value === 'string' ? [] : [['send', value.file] as [string, string]],
  )
  const { certificate } = step
  return certificate === undefined || certificate.startsWith('sha256:')
    ? parts
    : [...parts, ['compare certificates with', certificate]]
}

/** What a scenario needs of the project and of this computer, absolute: a verdict depends on their content. */
export function neededOfProject(scenarios: readonly Scenario[], project: string): string[] {
  return scenarios.flatMap(({ steps }) => {
    const all = everyStep(steps)
    const downloaded = new Set(all.flatMap((step) => (step.kind === 'download' ? [step.to] : [])))
    return all.flatMap((step) => [
      ...neededFiles(step).flatMap(([, from]) =>
        from.includes('{{') || downloaded.has(from) ? [] : [resolve(project, from)],
      ),
      ...(step.kind === 'boot' ? [step.ova, step.disk] : []).flatMap((path) =>
        path === undefined || path.includes('{{') ? [] : [resolve(project, path)],
      ),
    ])
  })
}

export interface Selection {
  /** Names of scenarios; empty for all. */
  names: readonly string[]
  /** One of these tags; empty for any. */
  tags: readonly string[]
  /** Whether somebody asked for those tags, so that there must be such a scenario. */
  byTag: boolean
}

/** The scenarios and suites that are to run; a name or tag that was asked for and is not there is a fault. */
export function select(
  scenarios: readonly Scenario[],
  suites: readonly Suite[],
  { names, tags, byTag }: Selection,
): { selected: Scenario[]; suites: Suite[]; faults: Fault[] } {
  const knownNames = [...scenarios, ...suites].map(({ name }) => name)
  const knownTags = [...new Set([...scenarios, ...suites].flatMap(({ tags }) => tags))]
  const strangeNames = names.filter((name) => !knownNames.includes(name))
  const strangeTags = tags.filter((tag) => byTag && !knownTags.includes(tag))
  const wanted = (one: { name: string; tags: readonly string[] }) =>
    (names.length === 0 || names.includes(one.name)) &&
    (tags.length === 0 || one.tags.some((tag) => tags.includes(tag)))
  const alone = scenarios.some(({ only }) => only)
  return {
    selected: scenarios.filter((scenario) => wanted(scenario) && (scenario.only || !alone)),
    suites: alone ? [] : suites.filter(wanted),
    faults: [
      ...strangeNames.map((name) => ({
        message: `there is no scenario or suite "${name}"${suggestion(name, knownNames)}`,
      })),
      ...strangeTags.map((tag) => ({ message: `nothing is tagged ${tag}${suggestion(tag, knownTags)}` })),
    ],
  }
}

function suggestion(word: string, known: readonly string[]): string {
  const near = nearest(word, known)
  if (near) return `; did you mean ${near}?`
  return known.length > 0 ? `; there are ${known.join(', ')}` : '; there are none'
}

/** Where steps hold regular expressions; those of cron and of ports by their kind. */
const patternKeys = ['stdout', 'stderr', 'contains', 'version', 'has', 'lacks']

function patternsOf(step: ScenarioStep): [key: string, pattern: string][] {
  const given = step as unknown as Record<string, unknown> & {
    expect?: { body?: string }
    allow?: string[]
    save?: Record<string, { match?: string }> | string
  }
  const found: [string, unknown][] = [
    ...patternKeys.map((key): [string, unknown] => [key, given[key]]),
    ['expect.body', given.expect?.body],
    ...(given.allow ?? []).map((one): [string, unknown] => ['allow', one]),
    ...(step.kind === 'cron' ? [['command', step.command] as [string, unknown]] : []),
    ...(step.kind === 'port' ? [['answer', step.answer] as [string, unknown]] : []),
    ...(typeof given.save === 'object'
      ? Object.values(given.save).map(({ match }): [string, unknown] => ['save.match', match])
      : []),
  ]
  return found.filter((entry): entry is [string, string] => typeof entry[1] === 'string')
}

function patternFault(pattern: string): string | undefined {
  try {
    new RegExp(pattern.replace(/\{\{.*?\}\}/g, 'x'), 'mu')
    return undefined
  } catch (error) {
    return (error as Error).message.replace(/^.*: /, '')
  }
}

async function isThere(from: string, downloaded: ReadonlySet<string>, project: string): Promise<boolean> {
  if (downloaded.has(from)) return true
  return await exists(resolve(project, from))
}
