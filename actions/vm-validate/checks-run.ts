import { toApplianceError } from '../lib/errors/error.ts'
import type { Course } from './course.ts'
import { eventually, within } from './deadline.ts'
import { folderName } from './evidence.ts'
import { faultsFound, hygieneChecks } from './hygiene.ts'
import { offered, portDifferences } from './listens.ts'
import { report, type StepRun } from './report.ts'
import { NotStarted } from './started.ts'
import { listenersOf } from './steps/port.ts'
import type { ScenarioResult } from './verdict.ts'

/** A check of our own: it finds faults, each a line. */
interface Check {
  title: string
  /** What to say when it finds none. */
  passed: string
  faults(signal: AbortSignal): Promise<string[]>
}

/** Boots the machine and waits until it has finished booting, its first-boot scripts included. */
export function bootMachine(course: Course): Promise<ScenarioResult> {
  const boot: Check = {
    title: 'boots, answers, and finishes its first boot',
    passed: 'it has finished booting',
    faults: async (signal) => {
      await course.test.start(signal)
      return []
    },
  }
  return runChecks('The machine', 'machine', [boot], 60 * 60_000, course)
}

/** What only a sealed disk, booted for the first time, can pass. */
export function checkHygiene(
  expected: { publicKey: string; hostname: string },
  course: Course,
): Promise<ScenarioResult> {
  const checks = hygieneChecks({ ...expected, root: '' }).map(
    (check): Check => ({
      title: check.title,
      passed: 'so it is',
      faults: (signal) => faultsFound(course.test.guest, check, signal),
    }),
  )
  return runChecks('What only a sealed disk can pass', 'checks', checks, 90_000, course)
}

/** The guest offers exactly the declared ports; services may take a moment to come up. */
export function checkListens(declared: readonly string[], course: Course): Promise<ScenarioResult> {
  const check: Check = {
    title: `offers ${declared.join(', ') || 'no port'} and nothing else`,
    passed: `it offers ${declared.join(', ') || 'none'}`,
    faults: async (signal) => {
      const compare = async () =>
        portDifferences(declared, offered(await listenersOf(course.test.guest, signal)))
      const { answer } = await eventually(60_000, signal, compare, ({ missing }) => missing.length === 0)
      return [
        ...answer.missing.map((name) => `nothing listens on ${name}, which is declared`),
        ...answer.extra.map(
          (name) => `something listens on ${name}, which is not declared (validate.listens)`,
        ),
      ]
    },
  }
  return runChecks('The ports it offers', 'checks', [check], 120_000, course)
}

/** Runs checks that do not depend on each other: all of them, whatever they find. */
async function runChecks(
  name: string,
  kind: ScenarioResult['kind'],
  checks: readonly Check[],
  limit: number,
  course: Course,
): Promise<ScenarioResult> {
  const began = performance.now()
  const runs: StepRun[] = []
  for (const check of checks) {
    const start = performance.now()
    const { faults, output } = await faultsOf(check, limit, course.signal)
    const result: StepRun['result'] = {
      title: check.title,
      status: faults.length === 0 ? 'passed' : 'failed',
      finding: faults.length === 0 ? check.passed : faults.join('; '),
      remarks: [],
      duration: performance.now() - start,
    }
    runs.push(output === undefined ? { result } : { result, output })
  }
  return await report(
    { name, kind, began, folder: folderName(name, course.folders) },
    runs,
    course.secrets,
    course,
  )
}

async function faultsOf(
  check: Check,
  limit: number,
  signal: AbortSignal,
): Promise<{ faults: string[]; output?: string }> {
  try {
    const faults = await within(limit, signal, check.title, (signal) => check.faults(signal))
    return faults.length > 0 ? { faults, output: faults.join('\n') } : { faults }
  } catch (thrown) {
    signal.throwIfAborted()
    const faults = [toApplianceError(thrown).message.replace(/\s*\n\s*/g, ' ')]
    return thrown instanceof NotStarted ? { faults, output: thrown.journal } : { faults }
  }
}
