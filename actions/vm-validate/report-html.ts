import { escapeLine, grave } from '../lib/network/attempts.ts'
import { counted } from '../lib/units/counted.ts'
import { formatDuration } from '../lib/units/duration.ts'
import { REPORT_STYLE } from './report-style.ts'
import { failedStep, type ScenarioResult, type StepResult, type Verdict } from './verdict.ts'

/** What the report shows beside the verdict. */
export interface ReportFacts {
  /** The appliance's title, and its version. */
  title: string
  version: string
  /** ISO 8601. */
  date: string
  /** Milliseconds of each rollback to the running machine. */
  rollbacks: readonly number[]
  machines: number
  /** Pictures of failures: evidence file → PNG. */
  pictures: ReadonlyMap<string, Uint8Array>
}

/** The verdict as one HTML file that needs nothing else: no script, no font, no picture from elsewhere. */
export function reportHtml(verdict: Verdict, facts: ReportFacts): string {
  const { results, subject, passed } = verdict
  const order = { failed: 0, passed: 1, skipped: 2 }
  const sorted = [...results].sort((a, b) => order[a.status] - order[b.status])
  const steps = results.flatMap((result) => result.steps)
  const count = (status: StepResult['status']) => steps.filter((step) => step.status === status).length
  const end = Math.max(1, ...results.map(({ began = 0, duration }) => began + duration))
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${esc(facts.title)} ${esc(facts.version)}: ${passed ? 'passed' : 'failed'}</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<header>
<p class="kicker">Validation of ${subject.kind === 'ova' ? 'the packed OVA' : 'the disk'}</p>
<h1>${esc(facts.title)} <span class="version">${esc(facts.version)}</span> <span class="badge ${passed ? 'passed' : 'failed'}">${passed ? 'passed' : 'failed'}</span></h1>
<dl class="facts">
${fact('Subject', esc(subject.name))}
${fact('Disk SHA-256', `<code>${esc(subject.diskSha256)}</code>`)}
${subject.ovaSha256 ? fact('OVA SHA-256', `<code>${esc(subject.ovaSha256)}</code>`) : ''}
${fact('Checked', `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} left out`)}
${fact('Took', `${formatDuration(end)} on ${counted(facts.machines, 'machine')}${rolledBack(facts.rollbacks)}`)}
${fact('Date', esc(facts.date))}
</dl>
</header>
<main>
<h2>Timeline</h2>
${timeline(results, end)}
<h2>What was tried</h2>
${sorted.map((result) => section(result, results.indexOf(result), facts)).join('\n')}
${list('Good to know', remarksOf(verdict))}
${list('Tried to reach what is not in the mirror', grave(verdict.escapes).map(escapeLine))}
</main>
</body>
</html>
`
}

function rolledBack(rollbacks: readonly number[]): string {
  if (rollbacks.length === 0) return ''
  const sorted = [...rollbacks].sort((a, b) => a - b)
  const middle = sorted[Math.floor(sorted.length / 2)]!
  return `; ${rollbacks.length} rollbacks, the middle one ${formatDuration(middle)}, the slowest ${formatDuration(sorted.at(-1)!)}`
}

/** A bar a result, as long as it took, at the place when it was. */
function timeline(results: readonly ScenarioResult[], end: number): string {
  const bars = results.map(({ name, status, began = 0, duration }, index) => {
    const left = ((began / end) * 100).toFixed(2)
    const width = Math.max(0.4, (duration / end) * 100).toFixed(2)
    return `<li><a href="#r${index}">${esc(name)}</a><span class="track"><span class="bar ${status}" style="left:${left}%;width:${width}%"></span></span><span class="seconds">${formatDuration(duration)}</span></li>`
  })
  return `<ol class="timeline">${bars.join('')}</ol>`
}

function section(result: ScenarioResult, index: number, facts: ReportFacts): string {
  const failed = failedStep(result)
  const done = result.steps.filter(({ status }) => status === 'passed').length
  const pictures = result.evidence.flatMap((file) => {
    const bytes = facts.pictures.get(file)
    return bytes
      ? [
          `<figure><img alt="${whatIsSeen(file)}" src="data:image/png;base64,${Buffer.from(bytes).toString('base64')}"><figcaption>${esc(file)}</figcaption></figure>`,
        ]
      : []
  })
  const others = result.evidence.filter((file) => !facts.pictures.has(file))
  return `<details id="r${index}" class="result ${result.status}"${failed ? ' open' : ''}>
<summary><span class="badge ${result.status}">${result.status}</span> <span class="name">${esc(result.name)}</span> <span class="count">${done} of ${result.steps.length}</span> <span class="seconds">${formatDuration(result.duration)}</span></summary>
${result.file ? `<p class="file">${esc(result.file)}</p>` : ''}
<table><thead><tr><th></th><th>step</th><th>finding</th><th class="seconds">seconds</th></tr></thead><tbody>
${result.steps.map((step, index) => row(step, index)).join('\n')}
</tbody></table>
${pictures.join('\n')}
${others.length > 0 ? `<p class="evidence">Evidence: ${others.map((file) => `<code>${esc(file)}</code>`).join(', ')}</p>` : ''}
</details>`
}

function whatIsSeen(file: string): string {
  const step = /film-after-step-0*(\d+)/.exec(file)?.[1]
  return step === undefined ? 'The screen when it failed' : `The screen after step ${step}`
}

function row(step: StepResult, index: number): string {
  const seconds = step.status === 'skipped' ? '' : (step.duration / 1000).toFixed(1)
  const output = step.output ? `<pre>${esc(step.output)}</pre>` : ''
  return `<tr class="${step.status}"><td class="mark">${index + 1}</td><td>${esc(step.title)}</td><td>${esc(step.finding)}${output}</td><td class="seconds">${seconds}</td></tr>`
}

function remarksOf({ remarks, results }: Verdict): string[] {
  const all = results.flatMap(({ name, remarks, steps }) =>
    [...remarks, ...steps.flatMap((step) => step.remarks)].map((remark) => `${name}: ${remark}`),
  )
  return [...new Set([...remarks, ...all])]
}

function list(title: string, entries: readonly string[]): string {
  if (entries.length === 0) return ''
  return `<h2>${esc(title)}</h2>\n<ul>${entries.map((entry) => `<li>${esc(entry)}</li>`).join('')}</ul>`
}

function fact(name: string, html: string): string {
  return `<dt>${name}</dt><dd>${html}</dd>`
}

/** Text that a guest may have had a hand in: no markup of its, and no control characters. */
function esc(text: string): string {
  return text
    .replace(/[^\t\n\P{Cc}]|[\u{D800}-\u{DFFF}\u{FFFE}\u{FFFF}]/gu, '\u{FFFD}')
    .replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`)
}
