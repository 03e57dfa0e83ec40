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

/**
 * The example broken in twenty ways: each must be noticed, by the right check. And a scenario on the unbroken one
 * again and again: no false alarm.
 */
const { values } = parseArgs({
  options: {
    project: { type: 'string', default: 'build/e2e/license-server' },
    runs: { type: 'string', default: '100' },
    only: { type: 'string' },
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
const wanted = mutations.filter(({ name }) => values.only === undefined || name.includes(values.only))
// One that is over, or that found something, is not gone on with.
const over = before.runs >= Number(values.runs) || before.missed.length + before.alarms.length > 0
const state = over || values.only !== undefined ? fresh : before

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
    const context = { course, spec, publicKey: '', disk: machine.disk, signal: course.signal }
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

await withExample(values.project, async (example) => {
  const done = new Set([...state.caught, ...state.missed])
  for (const mutation of wanted.filter(({ name }) => !done.has(name))) {
    const why = await escaped(mutation, example).catch((thrown: Error) => thrown.message)
    ;(why === undefined ? state.caught : state.missed).push(mutation.name)
    console.log(why === undefined ? `caught  ${mutation.name}` : `MISSED  ${mutation.name}: ${why}`)
    await writeJson(stateFile, state)
  }
  while (state.runs < Number(values.runs)) {
    const result = await runScenario(example.scenario('licences.yml'), example.course)
    state.runs++
    if (result.status === 'failed') state.alarms.push(`run ${state.runs}: ${failedStep(result)?.finding}`)
    await writeJson(stateFile, state)
    if (state.runs % 10 === 0) console.log(`${state.runs} runs, ${state.alarms.length} false alarms`)
  }
})
for (const line of state.alarms) console.log(`FALSE ALARM ${line}`)
console.log(`figure campaign.validate.mutations ${wanted.length} ways (goal 20)`)
console.log(`figure campaign.validate.missed ${state.missed.length} ways (goal 0)`)
console.log(`figure campaign.validate.runs ${state.runs} runs (goal 100)`)
console.log(`figure campaign.validate.false-alarms ${state.alarms.length} times (goal 0)`)
process.exit(state.missed.length + state.alarms.length === 0 ? 0 : 1)
