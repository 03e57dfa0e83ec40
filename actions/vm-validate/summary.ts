import { escapeLine, grave } from '../lib/network/attempts.ts'
import { formatDuration } from '../lib/units/duration.ts'
import { failedStep, type ScenarioResult, type Verdict } from './verdict.ts'

const marks = { passed: '✅', failed: '❌', skipped: '➖' } as const
const order = { failed: 0, passed: 1, skipped: 2 } as const

/** The verdict as GitHub Markdown: a table, failures first, then what went wrong in each. */
export function summaryMarkdown(verdict: Verdict): string {
  const sorted = [...verdict.results].sort((a, b) => order[a.status] - order[b.status])
  const failed = sorted.filter((result) => result.status === 'failed')
  return [
    `## vm-validate: ${verdict.passed ? 'passed' : 'failed'} (${verdict.subject.kind} ${code(verdict.subject.name)})\n`,
    '| | scenario | steps | time | finding |',
    '|---|---|---|---|---|',
    ...sorted.map(row),
    '',
    ...failed.map(details),
    ...list('Good to know', remarksOf(verdict)),
    ...list(
      'Tried to reach what is not in the mirror',
      grave(verdict.escapes).map((one) => code(escapeLine(one))),
    ),
    `Disk SHA-256 ${code(verdict.subject.diskSha256)}`,
    '',
  ].join('\n')
}

function row(result: ScenarioResult): string {
  const done = result.steps.filter((step) => step.status === 'passed').length
  const finding = failedStep(result)?.finding ?? ''
  const cells = [marks[result.status], plain(result.name), `${done}/${result.steps.length}`]
  return `| ${[...cells, formatDuration(result.duration), plain(finding)].join(' | ')} |`
}

function details(result: ScenarioResult): string {
  const step = failedStep(result)
  const lines = [`### ❌ ${plain(result.name)}\n`]
  if (step)
    lines.push(`Step ${result.steps.indexOf(step) + 1}, ${code(step.title)}: ${plain(step.finding)}\n`)
  if (step?.output) lines.push(fenced(step.output))
  const isScreen = (file: string) => file.endsWith('.png')
  const files = (name: string, found: readonly string[]) => {
    if (found.length > 0) lines.push(`${name}: ${found.map(code).join(', ')}\n`)
  }
  files('Screens', result.evidence.filter(isScreen))
  files(
    'Evidence',
    result.evidence.filter((file) => !isScreen(file)),
  )
  return lines.join('\n')
}

function remarksOf(verdict: Verdict): string[] {
  const ofResults = verdict.results.flatMap(({ name, remarks, steps }) =>
    [...remarks, ...steps.flatMap((step) => step.remarks)].map((remark) => `${name}: ${remark}`),
  )
  return [...new Set([...verdict.remarks, ...ofResults])].map(plain)
}

function list(title: string, entries: readonly string[]): string[] {
  return entries.length === 0 ? [] : [`### ${title}\n`, ...entries.map((entry) => `- ${entry}`), '']
}

/** Text that a guest may have had a hand in: on one line, and without meaning to Markdown or HTML. */
function plain(text: string): string {
  return oneLine(text).replace(/[\\`*_{}[\]<>#|~!&]/g, (character) => `&#${character.codePointAt(0)};`)
}

/** A code span whose fence is longer than any run of backticks inside (CommonMark 0.31, 6.1). */
function code(text: string): string {
  const fence = '`'.repeat(longestRun(text) + 1)
  const space = /^`|`$/.test(text) ? ' ' : ''
  return `${fence}${space}${oneLine(text).replaceAll('|', '¦')}${space}${fence}`
}

function fenced(text: string): string {
  const fence = '`'.repeat(Math.max(3, longestRun(text) + 1))
  return `${fence}text\n${text.replace(/[^\t\n\P{Cc}]/gu, '\u{FFFD}').trimEnd()}\n${fence}\n`
}

function longestRun(text: string): number {
  return Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length))
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/\p{Cc}/gu, '\u{FFFD}')
}
