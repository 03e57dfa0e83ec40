import { join, relative } from 'node:path'
import { formatDuration } from '../lib/units/duration.ts'
import type { Course } from './course.ts'
import { collectEvidence, type EvidenceText, tail } from './evidence.ts'
import { failedStep, type ScenarioResult, type StepResult } from './verdict.ts'

/** A step's result, and all it printed or received (unless it is sensitive): not yet cleaned of secrets. */
export interface StepRun {
  result: StepResult
  output?: string
  /** Of one that failed: the whole step with its values, as YAML; not of a sensitive one. */
  input?: string
}

/**
 * What comes of a list of steps that ran: secrets taken out, the end of a failed step's output kept, evidence
 * gathered where one failed, the machine left as it is if somebody wants to look into it, and a line for whoever is watching.
 *
 * @param about `began` is of `performance.now()`, `folder` the name of its evidence folder
 * @param kept files that were made meanwhile and show something, too; what is not there is left out
 */
export async function report(
  about: Pick<ScenarioResult, 'name' | 'kind' | 'file'> & { began: number; folder: string },
  runs: readonly StepRun[],
  course: Course,
  kept: readonly string[] = [],
): Promise<ScenarioResult> {
  const { test, secrets, outDirectory, log, signal, started } = course
  const { began, folder, ...named } = about
  const clean = secrets.hide
  const steps = runs.map(({ result, output }): StepResult => {
    const shown = result.status === 'failed' && output ? { output: tail(clean(output)) } : {}
    return {
      ...result,
      title: clean(result.title),
      finding: oneLine(clean(result.finding)),
      remarks: result.remarks.map(clean),
      ...shown,
    }
  })
  const failed = steps.some(({ status }) => status === 'failed')
  const result: ScenarioResult = {
    ...named,
    status: failed ? 'failed' : 'passed',
    steps,
    remarks: [],
    evidence: [],
    duration: performance.now() - began,
    began: began - started,
  }
  if (!failed) {
    log.info(`✓ ${result.name} (${formatDuration(result.duration)})`)
    return result
  }
  const step = failedStep(result)!
  // No warning: as a failure it is told at the end, in a workflow at its own line.
  log.info(`✗ ${result.name}: ${step.title}: ${step.finding}`)
  if (step.output) log.guest(`${step.output}\n`)
  const texts = runs.flatMap((run, index): EvidenceText[] =>
    run.result.status === 'failed'
      ? [{ name: `step-${index + 1}.txt`, content: account(run, named.file) }]
      : [],
  )
  const files = await collectEvidence(
    test,
    join(outDirectory, 'evidence', folder),
    texts,
    kept,
    secrets,
    signal,
  )
  await course.holding.hold(course, result.name)
  return { ...result, evidence: files.map((file) => relative(outDirectory, file)) }
}

/** All there is to say of a failed step, for its file. */
function account({ result, input, output }: StepRun, file: string | undefined): string {
  const { title, finding, line } = result
  const place = file === undefined || line === undefined ? '' : `${file}:${line}\n`
  const parts = [
    ['input', input],
    ['output', output],
  ].flatMap(([name, text]) => (text ? [`--- ${name}\n${text.trimEnd()}\n`] : []))
  return [`${place}${title}\n${finding}\n`, ...parts].join('\n')
}

/** A finding may quote the guest: no line end or terminal escape of its may reach a log. */
function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ').trim()
}
