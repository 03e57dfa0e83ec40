import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { toApplianceError } from '../lib/errors/error.ts'
import type { Hypervisor, MachineSpec } from '../lib/hypervisor/hypervisor.ts'
import type { Scenario } from '../lib/spec/scenario.ts'
import type { CheckContext } from './checks/check.ts'
import { failedUnits, wrongPorts } from './checks/inside.ts'
import type { Course } from './course.ts'
import { folderName } from './evidence.ts'
import { type Hardware, hardwareName } from './hardware.ts'
import { report, type StepRun } from './report.ts'
import { runScenario } from './scenario-run.ts'
import { leftOut } from './scenarios-run.ts'
import { testMachine } from './test-machine.ts'
import type { ScenarioResult } from './verdict.ts'

/** Units that wait for a network, in vain where there is none: no fault of the appliance's. */
const WAITS_ONLINE =
  /^(systemd-networkd-wait-online(@\S+)?|NetworkManager-wait-online|ifupdown-wait-online)\.service /

/** What is skipped, and why. */
type Look = () => Promise<string[] | { skipped: string }>

/** What hardware is tried with. */
interface Stand {
  /** The machine as the subject describes it. */
  machine: MachineSpec
  driver: Hypervisor
  /** What the network wants done in a guest that has just booted. */
  welcome: string | undefined
}

/**
 * Boots the subject as a customer would who has such hardware: it must finish its first boot, no unit may fail, it must
 * offer its ports, and the scenarios that the matrix names must pass there: their results come after its own.
 */
export async function runHardware(
  hardware: Hardware,
  course: Course,
  context: Omit<CheckContext, 'signal' | 'course'>,
  scenarios: readonly Scenario[],
  { machine, driver, welcome }: Stand,
): Promise<ScenarioResult[]> {
  const began = performance.now()
  const name = `Boots with ${hardwareName(hardware)}`
  const folder = folderName(name, course.folders)
  const room = await mkdtemp(join(course.workDirectory, 'hardware-'))
  await using _ = { [Symbol.asyncDispose]: () => rm(room, { recursive: true, force: true }) }
  // A date alone is midnight.
  const clock = hardware.clock === undefined ? {} : { clock: `${hardware.clock}T00:00:00` }
  await using test = testMachine(
    driver,
    // By its folder's name, so that none writes over what another one's serial console said.
    { ...machine, ...hardware, ...clock, name: folder, overlay: join(room, 'overlay.qcow2') },
    course.log,
    welcome,
  )
  const own = { ...course, test }
  const steps: [title: string, look: Look][] = [
    ['boots, answers, and finishes its first boot', () => test.start(course.signal).then(() => [])],
    [
      'no unit has failed',
      async () => {
        const { faults } = await failedUnits({ ...context, course: own, signal: course.signal })
        return hardware.nics === 0 ? faults.filter((fault) => !WAITS_ONLINE.test(fault)) : faults
      },
    ],
    [
      'it offers the declared ports',
      async () => (await wrongPorts({ ...context, course: own, signal: course.signal })).faults,
    ],
  ]
  const runs: StepRun[] = []
  for (const [title, look] of steps) {
    const start = performance.now()
    const broken = runs.some(({ result }) => result.status === 'failed')
    const found = broken
      ? { skipped: 'an earlier step failed' }
      : await look().catch((thrown) => {
          course.signal.throwIfAborted()
          return [toApplianceError(thrown).message.replace(/\s*\n\s*/g, ' ')]
        })
    const skipped = 'skipped' in found ? found.skipped : undefined
    const faults = 'skipped' in found ? [] : found
    runs.push({
      result: {
        title,
        status: skipped ? 'skipped' : faults.length > 0 ? 'failed' : 'passed',
        finding: skipped ?? (faults.join('; ') || 'so it is'),
        remarks: [],
        duration: performance.now() - start,
      },
    })
  }
  const result = await report({ name, kind: 'hardware', began, folder }, runs, own)
  const why =
    result.status === 'failed'
      ? 'the machine does not boot as it should'
      : hardware.nics === 0
        ? 'from outside, a machine without a network cannot be reached'
        : undefined
  const results = [result]
  for (const scenario of scenarios) {
    const here = { ...scenario, name: `${scenario.name} (${hardwareName(hardware)})` }
    const left = why ?? scenario.skip ?? (own.holding.held ? 'an earlier one failed' : undefined)
    // Each goes back to where the first one began, instead of booting again.
    if (left === undefined && results.length === 1) await test.keep(course.signal)
    results.push(left === undefined ? await runScenario(here, own) : leftOut(here, left))
  }
  return [{ ...result, remarks: [...test.remarks] }, ...results.slice(1)]
}
