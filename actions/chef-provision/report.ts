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
  })[]
}

/** The report as a table for a person: Markdown. */
export function reportMarkdown({ steps }: ProvisionReport): string {
  const rows = steps.map(({ title, from, because, milliseconds, chef }) => {
    const did = chef ? `${chef.updated} of ${chef.resources} resources updated` : ''
    const state = from === 'layer' ? 'from its layer' : `ran${because ? `: ${because}` : ''}`
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
