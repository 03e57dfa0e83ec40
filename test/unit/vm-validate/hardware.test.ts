import { expect, test } from '@jest/globals'
import { matrixFaults } from '../../../actions/vm-validate/faults.ts'
import { combinations, hardwareName } from '../../../actions/vm-validate/hardware-run.ts'

const matrix = {
  scenarios: [],
  firmware: ['bios', 'uefi'],
  nic: ['e1000', 'vmxnet3'],
  memory: [2 ** 30, 2 ** 31],
} as const

test('a matrix is combined as it says', () => {
  const of = (combine: 'pairwise' | 'all' | 'each') =>
    combinations({ ...structuredClone(matrix), combine } as never)
  expect(of('all')).toHaveLength(8)
  expect(of('pairwise')).toHaveLength(4)
  expect(of('each')).toEqual([
    { firmware: 'bios', nic: 'e1000', memory: 2 ** 30 },
    { firmware: 'uefi', nic: 'vmxnet3', memory: 2 ** 31 },
  ])
})

test('hardware has a name that people understand', () => {
  expect(
    hardwareName({ firmware: 'uefi', nic: 'e1000', cpus: 4, memory: 2 ** 30, enlarge: 30 * 2 ** 30 }),
  ).toBe('uefi, e1000, cpus 4, 1.1 GB, disk 32.2 GB')
})

test('no card at all is no network', () => {
  expect(hardwareName({ nics: 0, cpus: 1 })).toBe('no network, cpus 1')
})

test('a scenario that a matrix names must be there', () => {
  const scenarios = [{ name: 'A licence survives' }, { name: 'Two doors' }] as never
  const matrix = { combine: 'each', scenarios: ['Two doors', 'A license survives'] } as const
  expect(matrixFaults(matrix as never, scenarios)).toEqual([
    {
      message:
        'validate.matrix.scenarios: there is no scenario "A license survives"; did you mean A licence survives?',
    },
  ])
  expect(matrixFaults(undefined, scenarios)).toEqual([])
})
