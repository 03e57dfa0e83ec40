import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { type Fault, showFault } from '../lib/errors/fault.ts'
import { writeAtomically, writeJson } from '../lib/files/atomic.ts'
import type { Scenario } from '../lib/spec/scenario.ts'
import type { StageResult, StageWork } from '../lib/stage/stage.ts'
import { junitXml } from './junit.ts'
import { reportHtml } from './report-html.ts'
import { summaryMarkdown } from './summary.ts'
import { failedStep, type ScenarioResult, type Verdict, verdictRecord } from './verdict.ts'

/** Pictures that are shown in the report, each at most so large, and so many in all. Bytes. */
const LARGEST_PICTURE = 512 << 10
const MOST_PICTURES = 40

interface Run {
  work: Pick<StageWork, 'outDirectory' | 'project'>
  workers: number
  rollbacks: readonly number[]
  /** Scenarios that say `only`. */
  only: readonly Scenario[]
}

/** Writes all reports; then a failed verdict is an error with a line a failure, and all evidence. */
export async function conclude(verdict: Verdict, run: Run): Promise<StageResult> {
  const { work, only } = run
  const { outDirectory } = work
  const path = (name: string) => join(outDirectory, name)
  await writeAtomically(path('report.xml'), junitXml(verdict))
  await writeAtomically(path('summary.md'), summaryMarkdown(verdict))
  await writeAtomically(path('report.html'), await page(verdict, run))
  await writeJson(path('verdict.json'), verdictRecord(verdict))
  const failed = verdict.results.filter(({ status }) => status === 'failed')
  const evidence = ['summary.md', 'report.html', 'report.xml', ...failed.flatMap(({ evidence }) => evidence)]
  const files = {
    report: path('report.xml'),
    summary: path('summary.md'),
    page: path('report.html'),
    details: path('verdict.json'),
    evidence: path('evidence'),
  }
  const outputs = { verdict: 'failed', 'disk-sha256': verdict.subject.diskSha256, ...files }
  if (failed.length > 0) {
    const faults = failed.map(failure)
    throw new ApplianceError('check-failed', faults.map(showFault).join('\n'), {
      hint: `Everything that was found is in ${path('report.html')}.`,
      evidence: evidence.map(path),
      faults,
      outputs,
    })
  }
  if (only.length > 0)
    throw new ApplianceError(
      'check-failed',
      `only ${only.length === 1 ? 'one scenario was' : `${only.length} scenarios were`} run, and passed: ${only.map(({ file }) => file).join(', ')} ${only.length === 1 ? 'says' : 'say'} \`only\``,
      { hint: 'Take it out: a verdict needs all of them.', evidence: evidence.map(path), outputs },
    )
  return {
    outputs: {
      verdict: { value: 'passed' },
      'disk-sha256': { value: verdict.subject.diskSha256 },
      ...Object.fromEntries(Object.entries(files).map(([name, path]) => [name, { path }])),
    },
    tools: {},
  }
}

async function page(verdict: Verdict, { work, workers, rollbacks }: Run): Promise<string> {
  const { spec } = work.project
  const pictures = new Map<string, Uint8Array>()
  for (const file of verdict.results.flatMap(({ evidence }) => evidence)) {
    if (!file.endsWith('.png') || pictures.size >= MOST_PICTURES) continue
    const bytes = await readFile(join(work.outDirectory, file)).catch(() => undefined)
    if (bytes && bytes.length <= LARGEST_PICTURE) pictures.set(file, bytes)
  }
  return reportHtml(verdict, {
    title: spec.product.title ?? spec.name,
    version: spec.version,
    date: new Date().toISOString(),
    rollbacks,
    machines: workers,
    pictures,
  })
}

/** A failure where it stands in the user's file: at the step that failed first. */
function failure(result: ScenarioResult): Fault {
  const step = failedStep(result)!
  const { file } = result
  const line = file === undefined ? undefined : step.line
  const place = result.kind === 'scenario' ? `step ${result.steps.indexOf(step) + 1}, ` : ''
  const more = result.steps.filter(({ status }) => status === 'failed').length - 1
  const others = more > 0 ? ` (and ${more} more)` : ''
  return {
    ...(file === undefined ? {} : { file }),
    ...(line === undefined ? {} : { line }),
    message: `${result.name}: ${place}${step.title}: ${step.finding}${others}`,
  }
}
