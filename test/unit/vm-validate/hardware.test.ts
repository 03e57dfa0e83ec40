import { describe, expect, test } from '@jest/globals'
import { blindness } from '../../../actions/lib/hypervisor/qemu/firmware.ts'
import { matrixFaults } from '../../../actions/vm-validate/faults.ts'
import { combinations, hardwareName, hardwareToTry } from '../../../actions/vm-validate/hardware.ts'

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
  ).toBe('uefi, e1000, cpus 4, 1 GiB, disk 30 GiB')
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

describe('what a driver cannot boot from', () => {
  const driver = { unbootable: blindness }
  const names = (matrix: object, usual: object) => {
    const found = hardwareToTry(
      { combine: 'pairwise', scenarios: [], ...matrix } as never,
      usual as never,
      driver,
    )
    return { ...found, hardware: found.hardware.map(hardwareName) }
  }

  test('is left out, and every other pair still meets', () => {
    const controller = ['lsi', 'ahci', 'nvme']
    const nic = ['e1000', 'vmxnet3', 'virtio']
    const usual = { firmware: 'bios', controller: 'lsi' }
    const { hardware, remarks } = names({ firmware: ['bios', 'uefi'], controller, nic }, usual)
    expect(remarks).toEqual([
      "matrix: uefi with lsi is not tried: QEMU's UEFI firmware finds no disk at a controller of kind lsi",
    ])
    const together = (...pair: string[]) =>
      hardware.some((name) => pair.every((one) => name.split(', ').includes(one)))
    expect(together('uefi', 'lsi')).toBe(false)
    for (const one of nic) expect([together('uefi', one), together('lsi', one)]).toEqual([true, true])
    for (const one of controller) expect(together('bios', one)).toBe(true)
  })

  test('takes no possible pair with it', () => {
    const matrix = {
      firmware: ['bios', 'uefi'],
      controller: ['lsi', 'pvscsi'],
      nic: ['e1000', 'vmxnet3'],
      cpus: [1, 2],
    }
    const { hardware } = names(matrix, { firmware: 'bios', controller: 'lsi' })
    for (const [a, b] of [
      ['lsi', 'vmxnet3'],
      ['lsi', 'cpus 2'],
      ['e1000', 'cpus 2'],
      ['vmxnet3', 'cpus 1'],
    ])
      expect([a, b, hardware.some((name) => [a, b].every((one) => name.includes(one!)))]).toEqual([
        a,
        b,
        true,
      ])
    expect(hardware).toContain('uefi, ahci')
  })

  test('gives way to AHCI where the matrix names no controller', () => {
    const usual = { firmware: 'bios', controller: 'lsi' }
    expect(names({ firmware: ['bios', 'uefi'] }, usual)).toEqual({
      hardware: ['bios', 'uefi, ahci'],
      remarks: [expect.stringMatching(/^matrix: uefi is tried with the disk at AHCI: QEMU's UEFI firmware/)],
    })
  })

  test('is known from the appliance’s own firmware, too', () => {
    const usual = { firmware: 'uefi', controller: 'ahci' }
    expect(names({ controller: ['pvscsi', 'nvme'] }, usual)).toEqual({
      hardware: ['nvme'],
      remarks: [expect.stringContaining('uefi with pvscsi is not tried')],
    })
  })
})
