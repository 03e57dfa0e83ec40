import { toApplianceError } from '../lib/errors/error.ts'
import { builtInChecks } from '../lib/spec/validate.ts'
import type { CheckContext, Found } from './checks/check.ts'
import { disturbingChecks } from './checks/disturbing.ts'
import { lookingChecks } from './checks/inside.ts'
import { sealedChecks } from './checks/sealed.ts'
import type { Course } from './course.ts'
import { within } from './deadline.ts'
import { folderName } from './evidence.ts'
import { report, type StepRun } from './report.ts'
import { NotStarted } from './started.ts'
import type { ScenarioResult } from './verdict.ts'

/** Boots the machine and waits until it has finished booting, its first-boot scripts included. */
export async function bootMachine(course: Course): Promise<ScenarioResult> {
  const began = performance.now()
  const title = 'boots, answers, and finishes its first boot'
  const found = await attempt(title, 60 * 60_000, course.signal, async (signal) => {
    await course.test.start(signal)
    return { faults: [], finding: 'it has finished booting' }
  })
  const name = 'The machine'
  const run = asRun(title, found, performance.now() - began)
  const folder = folderName(name, course.folders)
  return await report({ name, kind: 'machine', began, folder }, [run], course)
}

/** Which of the built-in checks are wanted. */
export interface Wanted {
  /** Of an OVA: those that only a sealed disk can pass, too. */
  sealed: boolean
  /** Those that restart the machine, too. */
  disturbing: boolean
}

/**
 * What every appliance is looked at for: each by its name, all of them, whatever they find. One that the spec leaves
 * out is there with its reason.
 */
export async function runBuiltInChecks(
  context: Omit<CheckContext, 'signal' | 'sealed'>,
  wanted: Wanted,
): Promise<ScenarioResult> {
  const { course, spec } = context
  const began = performance.now()
  const runs: StepRun[] = []
  const checks = [...sealedChecks, ...lookingChecks, ...disturbingChecks].filter(
    (check) => (wanted.sealed || !check.sealed) && (wanted.disturbing || !check.changes),
  )
  for (const check of checks) {
    const title = `${check.name}: ${builtInChecks[check.name]}`
    const why = spec.validate.without[check.name]
    if (why !== undefined) {
      runs.push(asRun(title, { faults: [], finding: '', skipped: `left out by the spec: ${why}` }, 0))
      continue
    }
    const { asked } = course.holding
    if (check.changes && asked && runs.some(({ result }) => result.status === 'failed')) {
      const skipped = 'the machine is left as it was when another check failed'
      runs.push(asRun(title, { faults: [], finding: '', skipped }, 0))
      continue
    }
    const start = performance.now()
    if (check.changes) course.test.touch()
    const found = await attempt(title, check.limit, course.signal, (signal) =>
      check.look({ ...context, sealed: wanted.sealed, signal }),
    )
    const run = asRun(title, found, performance.now() - start)
    if (check.changes && !(asked && run.result.status === 'failed')) {
      await course.test.rewind(course.signal).catch(() => course.signal.throwIfAborted())
    }
    runs.push(run)
  }
  const name = 'What every appliance must be'
  const about = { name, kind: 'checks', began, folder: folderName(name, course.folders) } as const
  return await report(about, runs, course)
}

function asRun(title: string, { faults, finding, output, skipped }: Found, duration: number): StepRun {
  const status = faults.length > 0 ? 'failed' : skipped === undefined ? 'passed' : 'skipped'
  const said = faults.length > 0 ? faults.join('; ') : (skipped ?? finding)
  const shown = faults.length === 0 ? undefined : [faults.join('\n'), output].filter(Boolean).join('\n\n')
  const result: StepRun['result'] = { title, status, finding: said, remarks: [], duration }
  return shown === undefined ? { result } : { result, output: shown }
}

async function attempt(
  title: string,
  limit: number,
  signal: AbortSignal,
  look: (signal: AbortSignal) => Promise<Found>,
): Promise<Found> {
  try {
    return await within(limit, signal, title, look)
  } catch (thrown) {
    signal.throwIfAborted()
    const faults = [toApplianceError(thrown).message.replace(/\s*\n\s*/g, ' ')]
    return thrown instanceof NotStarted
      ? { faults, finding: '', output: thrown.journal }
      : { faults, finding: '' }
  }
}
