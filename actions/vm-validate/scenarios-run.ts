import { join } from 'node:path'
import type { Hypervisor } from '../lib/hypervisor/hypervisor.ts'
import type { Scenario } from '../lib/spec/scenario.ts'
import { bootMachine } from './checks-run.ts'
import type { Course } from './course.ts'
import { distribute } from './machines.ts'
import { runScenario } from './scenario-run.ts'
import { stepTitle } from './steps/perform.ts'
import { type TestMachine, testMachine } from './test-machine.ts'
import type { ScenarioResult } from './verdict.ts'
import { during, type Work } from './work.ts'

interface Plan {
  /** How many machines. */
  workers: number
  driver: Hypervisor
  work: Work
}

/** Runs scenarios on so many machines, which share one disk; the first is the course's own. Results in their order. */
export async function runScenarios(
  scenarios: readonly Scenario[],
  course: Course,
  { workers, driver, work }: Plan,
): Promise<ScenarioResult[]> {
  const others: TestMachine[] = []
  const running = scenarios.filter(({ skip }) => skip === undefined)
  const on = (own: Course) => async (scenario: Scenario) => {
    if (own.holding.held) return leftOut(scenario, 'an earlier one failed')
    return await during(work, scenario.name, () => runScenario(scenario, own))
  }
  try {
    const first = on(course)
    const further = Array.from({ length: Math.max(0, workers - 1) }, (_, index) => {
      let own: Promise<((scenario: Scenario) => Promise<ScenarioResult>) | undefined> | undefined
      return async (scenario: Scenario) => {
        // Booted when it is first needed, while the first machine works already.
        own ??= another(course, driver, work, index + 2).then((made) => {
          others.push(made.test)
          return made.ready ? on(made) : undefined
        })
        const run = await own
        return run ? await run(scenario) : await first(scenario)
      }
    })
    const results = await distribute(running, workers > 1 ? [first, ...further] : [first])
    const byScenario = new Map(running.map((scenario, index) => [scenario, results[index]!]))
    return scenarios.map((scenario) => byScenario.get(scenario) ?? leftOut(scenario, scenario.skip!))
  } finally {
    for (const one of others) {
      one.remarks.forEach(course.test.remark)
      await one[Symbol.asyncDispose]()
    }
  }
}

async function another(
  course: Course,
  driver: Hypervisor,
  work: Work,
  number: number,
): Promise<Course & { ready: boolean }> {
  const { spec } = course.test
  const machine = {
    ...spec,
    name: `${spec.name}-${number}`,
    evidence: `${spec.evidence}-${number}`,
    ...(spec.overlay ? { overlay: join(work.workDirectory, `overlay-${number}.qcow2`) } : {}),
  }
  const test = testMachine(driver, machine, work.log, work.network().welcome)
  const own = { ...course, test }
  const booted = await bootMachine(own)
  if (booted.status === 'passed') await test.keep(work.signal)
  return { ...own, ready: booted.status === 'passed' }
}

/** A scenario that is not run, and why. */
export function leftOut(scenario: Scenario, why: string): ScenarioResult {
  const { name, file, steps } = scenario
  return {
    name,
    kind: 'scenario',
    file,
    status: 'skipped',
    steps: steps.map((step) => ({
      title: stepTitle(step),
      status: 'skipped',
      finding: why,
      remarks: [],
      duration: 0,
    })),
    remarks: [],
    evidence: [],
    duration: 0,
  }
}
