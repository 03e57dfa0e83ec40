import { expect, test } from '@jest/globals'
import { type Scenario, scenarioStep } from '../../../actions/lib/spec/scenario.ts'
import { stepFaults } from '../../../actions/vm-validate/faults.ts'

const vagrant = { name: 'vagrant', can: ['console'] } as const
const scenario = async (name: string, step: unknown): Promise<Scenario> => ({
  ...{ name, file: `${name}.yml`, line: 1, tags: [], only: false },
  steps: [await scenarioStep.parseAsync(step)],
})
const plugged = await scenario('plugged', { network: 'cut' })
const wrong = await scenario('wrong', { run: { command: 'true', stdout: '(' } })

test('what a driver cannot do is a fault of a scenario that will be run on it', async () => {
  const messages = async (...given: Parameters<typeof stepFaults>) =>
    (await stepFaults(...given)).map(({ file, message }) => `${file}: ${message}`)
  const lacks = 'plugged.yml: network needs what vagrant cannot do: cable'
  expect(await messages([plugged], '/', vagrant)).toEqual([lacks])
  expect(await messages([plugged], '/')).toEqual([])
  expect(await messages([{ ...plugged, skip: 'no cable here' }], '/', vagrant)).toEqual([])
  // Of those that were not asked for, what is wrong everywhere is told all the same.
  expect(await messages([plugged, wrong], '/', vagrant, [wrong])).toEqual([
    expect.stringMatching(/^wrong\.yml: stdout: \/\(\/ is no regular expression/),
  ])
})
