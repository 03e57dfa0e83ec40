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

test('a look whose value is not asked for has nothing to save', async () => {
  const faultsOf = async (step: object) =>
    (await stepFaults([await scenario('one', { ...step, save: 'x' })], '/')).map(({ message }) => message)
  expect(await faultsOf({ file: '/etc/motd' })).toEqual([
    expect.stringMatching(/^file: nothing to save: the value of a file is its text/),
  ])
  expect(await faultsOf({ file: { path: '/etc/motd', contains: '^' } })).toEqual([])
  expect(await faultsOf({ package: { package: 'gcc', installed: false } })).toHaveLength(1)
  expect(await faultsOf({ package: 'gcc' })).toEqual([])
  expect(await faultsOf({ journal: {} })).toHaveLength(1)
  const header = { save: { x: { header: 'Location' } } }
  const saves = async (step: object) =>
    (await stepFaults([await scenario('one', { ...step, ...header })], '/')).map(({ message }) => message)
  expect(await saves({ run: 'x' })).toEqual(['run: nothing to save: headers are of HTTP answers'])
  expect(await saves({ get: '/' })).toEqual([])
})

test('a guest whose network is cut cannot be reached after a restart, which is said before anything boots', async () => {
  const faultsOf = async (...steps: unknown[]) => {
    const all = await Promise.all(steps.map((step) => scenarioStep.parseAsync(step)))
    return (await stepFaults([{ ...plugged, steps: all }], '/')).map(({ message }) => message)
  }
  const said = 'reboot with the network cut: write network: restored before, or boot: { nic: none }'
  expect(await faultsOf({ network: 'cut' }, { snapshot: 'here' }, 'reboot')).toEqual([said])
  expect(await faultsOf({ network: 'cut' }, { network: 'restored' }, 'reboot')).toEqual([])
  expect(await faultsOf({ network: 'cut' }, 'rollback', 'reboot')).toEqual([])
  expect(await faultsOf({ network: 'cut' }, { boot: { cpus: 2 } }, 'reboot')).toEqual([])
})
