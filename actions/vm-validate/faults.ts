import { isAbsolute, resolve } from 'node:path'
import type { Fault } from '../lib/errors/fault.ts'
import { nearest } from '../lib/errors/nearest.ts'
import { exists } from '../lib/files/exists.ts'
import type { Scenario, ScenarioStep } from '../lib/spec/scenario.ts'

/** What the schema cannot know about scenarios: patterns that are none, and uploads of what will not be there. */
export async function stepFaults(scenarios: readonly Scenario[], project: string): Promise<Fault[]> {
  const faults: Fault[] = []
  for (const { steps, file, lines } of scenarios) {
    const downloaded = new Set<string>()
    for (const [index, step] of steps.entries()) {
      const say = (message: string) =>
        faults.push({ file, ...(lines[index] === undefined ? {} : { line: lines[index] }), message })
      for (const [key, pattern] of patternsOf(step)) {
        const wrong = patternFault(pattern)
        if (wrong) say(`${key}: /${pattern}/ is no regular expression: ${wrong}`)
      }
      if ((step.kind === 'boot' || step.kind === 'rollback') && step.not)
        say(`${step.kind} cannot be negated`)
      if (step.kind === 'download') {
        if (isAbsolute(step.to) || step.to.split('/').includes('..'))
          say(`download to ${step.to}: give a path inside the scenario's own folder, e.g. backup.tar`)
        downloaded.add(step.to)
      }
      if (
        step.kind === 'upload' &&
        !step.from.includes('{{') &&
        !(await isThere(step.from, downloaded, project))
      )
        say(`there is no ${step.from} to upload: no earlier step downloads it, and it is not in ${project}`)
    }
  }
  return faults
}

/** What a scenario uploads from the project, absolute; its content counts among what a verdict depends on. */
export function uploadedFiles(scenarios: readonly Scenario[], project: string): string[] {
  return scenarios.flatMap(({ steps }) => {
    const downloaded = new Set(steps.flatMap((step) => (step.kind === 'download' ? [step.to] : [])))
    return steps.flatMap((step) =>
      step.kind === 'upload' && !step.from.includes('{{') && !downloaded.has(step.from)
        ? [resolve(project, step.from)]
        : [],
    )
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

/** The scenarios that are to run; a name or tag that was asked for and is not there is a fault. */
export function select(
  scenarios: readonly Scenario[],
  { names, tags, byTag }: Selection,
): { selected: Scenario[]; faults: Fault[] } {
  const knownNames = scenarios.map(({ name }) => name)
  const knownTags = [...new Set(scenarios.flatMap((scenario) => scenario.tags))]
  const strangeNames = names.filter((name) => !knownNames.includes(name))
  const strangeTags = tags.filter((tag) => byTag && !knownTags.includes(tag))
  return {
    selected: scenarios.filter(
      (scenario) =>
        (names.length === 0 || names.includes(scenario.name)) &&
        (tags.length === 0 || scenario.tags.some((tag) => tags.includes(tag))),
    ),
    faults: [
      ...strangeNames.map((name) => ({
        message: `there is no scenario "${name}"${suggestion(name, knownNames)}`,
      })),
      ...strangeTags.map((tag) => ({ message: `no scenario is tagged ${tag}${suggestion(tag, knownTags)}` })),
    ],
  }
}

function suggestion(word: string, known: readonly string[]): string {
  const near = nearest(word, known)
  if (near) return `; did you mean ${near}?`
  return known.length > 0 ? `; there are ${known.join(', ')}` : '; there are none'
}

function patternsOf(step: ScenarioStep): [key: string, pattern: string][] {
  const { stdout, stderr, expect } = step as { stdout?: string; stderr?: string; expect?: { body?: string } }
  const found = Object.entries({ stdout, stderr, 'expect.body': expect?.body })
  return found.filter((entry): entry is [string, string] => entry[1] !== undefined)
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
