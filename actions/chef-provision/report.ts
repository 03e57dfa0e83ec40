import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError, toApplianceError } from '../lib/errors/error.ts'
import { writeAtomically, writeJson } from '../lib/files/atomic.ts'
import type { ChefReport } from './chef/report.ts'

/** What one step did when it ran. */
export interface StepReport {
  title: string
  kind: string
  milliseconds: number
  chef?: ChefReport
  /** Files that an upload had to send, and those that were in the guest already. */
  upload?: { sent: number; there: number }
}

/** The stage's report, `report.json`. */
export interface ProvisionReport {
  steps: (StepReport & {
    /** layer: it ran in an earlier run, and nothing that it depends on has changed since. */
    from: 'run' | 'layer'
    /** What made it run again. */
    because?: string
    /** Why the stage ended with it. */
    failed?: string
  })[]
  /** Why the stage failed, in a step or after the last of them. */
  failed?: string
}

/**
 * Does the stage's work and writes what the steps did, `report.json`, also where it fails: then with `summary.md`, and
 * both are among the failure's evidence. That of an earlier run is gone before anything begins.
 *
 * @param report filled while it works
 */
export async function reported<T>(
  outDirectory: string,
  report: ProvisionReport,
  doIt: () => Promise<T>,
): Promise<T> {
  const [json, markdown] = ['report.json', 'summary.md'].map((name) => join(outDirectory, name)) as [
    string,
    string,
  ]
  for (const path of [json, markdown]) await rm(path, { force: true })
  try {
    const done = await doIt()
    await writeJson(json, report)
    return done
  } catch (thrown) {
    const { code, message, hint, evidence } = toApplianceError(thrown)
    report.failed = message
    await writeJson(json, report)
    await writeAtomically(markdown, reportMarkdown(report))
    if (['internal', 'interrupted', 'input'].includes(code)) throw thrown
    throw new ApplianceError(code, message, {
      ...(hint ? { hint } : {}),
      evidence: [...evidence, json, markdown],
      cause: thrown,
    })
  }
}

/** The report as a table for a person: Markdown. */
export function reportMarkdown({ steps }: Pick<ProvisionReport, 'steps'>): string {
  const rows = steps.map(({ title, from, because, failed, milliseconds, chef }) => {
    const did = chef ? `${chef.updated} of ${chef.resources} resources updated` : ''
    const ran = `ran${because ? `: ${because}` : ''}`
    const state = from === 'layer' ? 'from its layer' : failed === undefined ? ran : `❌ failed; ${ran}`
    return `| ${cell(title)} | ${cell(state)} | ${from === 'layer' ? '' : `${(milliseconds / 1000).toFixed(1)} s`} | ${did} |`
  })
  const slow = steps
    .filter(({ from }) => from === 'run')
    .flatMap(({ chef }) => chef?.slowest ?? [])
    .sort((a, b) => b.milliseconds - a.milliseconds)
    .slice(0, 10)
    .map(
      ({ resource, recipe, milliseconds }) =>
        `| ${(milliseconds / 1000).toFixed(1)} s | ${cell(resource)} | ${cell(recipe)} |`,
    )
  const deprecations = [...new Set(steps.flatMap(({ chef }) => chef?.deprecations ?? []))]
  const ignored = [...new Set(steps.flatMap(({ chef }) => chef?.ignored ?? []))]
  return [
    '| step | | time | |\n|---|---|---:|---|',
    ...rows,
    ...(slow.length > 0
      ? [
          '\n<details><summary>Slowest resources</summary>\n\n| time | resource | recipe |\n|---:|---|---|',
          ...slow,
          '\n</details>',
        ]
      : []),
    ...(ignored.length > 0
      ? [`\nFailures that the recipes ignore:\n${ignored.map((line) => `- ${cell(line)}`).join('\n')}`]
      : []),
    ...(deprecations.length > 0
      ? [`\nDeprecations:\n${deprecations.map((line) => `- ${cell(line)}`).join('\n')}`]
      : []),
    '',
  ].join('\n')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
