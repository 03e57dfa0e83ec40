import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { writeJson } from '../../actions/lib/files/atomic.ts'
import { lookingChecks } from '../../actions/vm-validate/checks/inside.ts'
import { runScenario } from '../../actions/vm-validate/scenario-run.ts'
import type { TestMachine } from '../../actions/vm-validate/test-machine.ts'
import { failedStep } from '../../actions/vm-validate/verdict.ts'
import {
  type ExampleMachine,
  insideOrAgain,
  withExample,
} from '../../test/fixtures/campaign/example-machine.ts'
import { type Mutation, mutations } from '../../test/fixtures/campaign/mutations.ts'
import { escapedPacked, packedMutations } from '../../test/fixtures/campaign/packed.ts'

/**
 * The example broken in twenty-two ways, two of them seen only in what is packed: each must be noticed, by the right
 * check. And a scenario on the unbroken one again and again: no false alarm.
 */
const { values } = parseArgs({
  options: {
    project: { type: 'string', default: 'build/e2e/license-server' },
    runs: { type: 'string', default: '100' },
    only: { type: 'string' },
    /** A few of them, and a few runs: for the tests. */
    short: { type: 'boolean', default: false },
    /** Stops after so many minutes, to be gone on with. */
    minutes: { type: 'string', default: '600' },
  },
})
await insideOrAgain()

interface State {
  caught: string[]
  missed: string[]
  alarms: string[]
  runs: number
}

const stateFile = resolve('build/campaign/validate.json')
const fresh: State = { caught: [], missed: [], alarms: [], runs: 0 }
const before = await readFile(stateFile, 'utf8').then(
  (text) => JSON.parse(text) as State,
  () => fresh,
)
const few = ['a debugging port left open', 'a secret everybody can read', 'keys of any form']
const isWanted = ({ name }: { name: string }) =>
  values.short ? few.includes(name) : values.only === undefined || name.includes(values.only)
const wanted = { running: mutations.filter(isWanted), packed: packedMutations.filter(isWanted) }
const ways = wanted.running.length + wanted.packed.length
const runs = values.short ? 3 : values.only === undefined ? Number(values.runs) : 0
const kept = !values.short && values.only === undefined
const write = async (state: State) => {
  if (kept) await writeJson(stateFile, state)
}
// One that is over is not gone on with; what was missed is tried again.
const over =
  before.runs >= runs && [...mutations, ...packedMutations].every(({ name }) => before.caught.includes(name))
const state = over || !kept ? fresh : { ...before, missed: [] }
const end = performance.now() + Number(values.minutes) * 60_000
const late = () => performance.now() > end

/** The machine as it is now: a scenario on it does not go back first. */
function asItIs(machine: TestMachine): TestMachine {
  return new Proxy(machine, {
    get: (target, key) => (key === 'rewind' ? async () => {} : Reflect.get(target, key)),
  })
}

/** Why it was not caught by whom it should be; undefined when it was. */
async function escaped(mutation: Mutation, example: ExampleMachine): Promise<string | undefined> {
  const { test, course, spec, machine } = example
  const { break: script, caughtBy } = mutation
  await test.rewind(course.signal)
  test.touch()
  await test.guest.run(script, { signal: course.signal, timeout: 180_000 })
  if ('check' in caughtBy) {
    const context = { course, spec, publicKey: '', disk: machine.disk, sealed: false, signal: course.signal }
    for (const check of lookingChecks) {
      const { faults } = await check.look(context)
      if (faults.length > 0) return check.name === caughtBy.check ? undefined : `${check.name}: ${faults[0]}`
    }
    return 'no check noticed'
  }
  const result = await runScenario(example.scenario(caughtBy.scenario), { ...course, test: asItIs(test) })
  const step = failedStep(result)
  if (!step) return 'no step noticed'
  return caughtBy.step.test(step.title) ? undefined : `${step.title}: ${step.finding}`
}

/** Tries those of a list that are left. */
async function tryEach<M extends { name: string }>(
  list: readonly M[],
  look: (mutation: M) => Promise<string | undefined>,
): Promise<void> {
  for (const mutation of list.filter(({ name }) => !state.caught.includes(name))) {
    if (late()) return
    const why = await look(mutation).catch((thrown: Error) => thrown.message)
    ;(why === undefined ? state.caught : state.missed).push(mutation.name)
    console.log(why === undefined ? `caught  ${mutation.name}` : `MISSED  ${mutation.name}: ${why}`)
    await write(state)
  }
}

if (runs > 0 || wanted.running.length > 0)
  await withExample(values.project, async (example) => {
    while (state.runs < runs && !late()) {
      const result = await runScenario(example.scenario('licences.yml'), example.course)
      state.runs++
      if (result.status === 'failed') state.alarms.push(`run ${state.runs}: ${failedStep(result)?.finding}`)
      await write(state)
      if (state.runs % 10 === 0) console.log(`${state.runs} runs, ${state.alarms.length} false alarms`)
    }
    await tryEach(wanted.running, (mutation) => escaped(mutation, example))
  })
await tryEach(wanted.packed, (mutation) => escapedPacked(mutation, values.project))
for (const line of state.alarms) console.log(`FALSE ALARM ${line}`)
const tried = state.caught.length + state.missed.length
if (tried < ways || state.runs < runs) console.log('not over: the same command goes on with it')
console.log(`figure campaign.validate.mutations ${tried} ways (goal ${ways})`)
console.log(`figure campaign.validate.missed ${state.missed.length} ways (goal 0)`)
console.log(`figure campaign.validate.runs ${state.runs} runs (goal ${runs})`)
console.log(`figure campaign.validate.false-alarms ${state.alarms.length} times (goal 0)`)
process.exit(state.missed.length + state.alarms.length === 0 ? 0 : 1)
