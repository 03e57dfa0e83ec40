import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { everyStep, type Scenario } from '../lib/spec/scenario.ts'
import { browser } from './browser.ts'
import type { Course } from './course.ts'
import { folderName } from './evidence.ts'
import { stepFilm } from './film.ts'
import { recordPackets } from './packets.ts'
import { report, type StepRun } from './report.ts'
import { runStep, type Trial } from './step-run.ts'
import { stepTitle } from './steps/perform.ts'
import { markJournal } from './steps/plans.ts'
import type { ScenarioResult } from './verdict.ts'

/**
 * Runs one scenario from the pristine machine. After the first step that fails the others are skipped, and what
 * shows why is gathered. Only an abort is thrown.
 */
export async function runScenario(scenario: Scenario, course: Course): Promise<ScenarioResult> {
  const began = performance.now()
  const folder = folderName(scenario.name, course.folders)
  const scratch = join(course.workDirectory, folder)
  await mkdir(scratch, { recursive: true })
  const trial: Trial = {
    test: course.test,
    scratch,
    project: course.project,
    values: new Map(course.variables),
    secrets: course.secrets,
    browser: browser(),
    disks: new Map(),
    left: {},
    journals: new Map(),
    log: course.log,
    signal: course.signal,
  }

  const runs: StepRun[] = []
  const ready = await runStep({ kind: 'rollback' }, trial)
  if (ready.result.status === 'failed') runs.push(ready)
  await markBeginning(scenario, trial)
  const film = stepFilm(join(scratch, '.film'))
  await using packets = recordPackets(course.test, scratch)
  await packets.follow()
  for (const step of scenario.steps) {
    course.signal.throwIfAborted()
    const failed = runs.some(({ result }) => result.status === 'failed')
    const why = failed ? 'an earlier step failed' : notAskedFor(step.tags, course.tags)
    runs.push(why === undefined ? await runStep(step, trial) : skipped(stepTitle(step), why))
    if (why !== undefined) continue
    if (!step.sensitive) await film.look(runs.length, course.test.machine, course.signal)
    await packets.follow()
  }
  await packets[Symbol.asyncDispose]()
  const about = { name: scenario.name, kind: 'scenario', file: scenario.file, began, folder } as const
  const kept = [...film.pictures, ...packets.files]
  const result = await report(about, runs, course, kept)
  return { ...result, remarks: [...result.remarks, ...packets.remarks] }
}

/** Where the journal stands, for steps that look at what it says from here on. */
async function markBeginning({ steps }: Scenario, { test, journals, signal }: Trial): Promise<void> {
  if (!test.running || !everyStep(steps).some(({ kind }) => kind === 'journal')) return
  test.touch()
  const mark = await markJournal(test.guest, 'end', signal).catch(() => signal.throwIfAborted())
  if (mark) journals.set(0, mark)
}

/** When tags were asked for, a step that has tags runs only if it has one of them. */
function notAskedFor(tags: readonly string[] | undefined, asked: readonly string[]): string | undefined {
  if (!tags || tags.length === 0 || asked.length === 0 || tags.some((tag) => asked.includes(tag)))
    return undefined
  return `only ${asked.join(', ')} was asked for`
}

function skipped(title: string, finding: string): StepRun {
  return { result: { title, status: 'skipped', finding, remarks: [], duration: 0 } }
}
