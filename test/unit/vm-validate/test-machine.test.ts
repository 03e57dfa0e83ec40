import { expect, test } from '@jest/globals'
import { blindness } from '../../../actions/lib/hypervisor/qemu/firmware.ts'
import { testMachine } from '../../../actions/vm-validate/test-machine.ts'

const of = (firmware: 'bios' | 'uefi') => {
  const { spec, remarks } = testMachine(
    { name: 'qemu', unbootable: blindness } as never,
    { firmware, controller: 'lsi' } as never,
    {} as never,
  )
  return { controller: spec.controller, remarks }
}

test('a disk is where its driver can boot from, and where it is not its own controller, that is said', () => {
  expect(of('bios')).toEqual({ controller: 'lsi', remarks: [] })
  expect(of('uefi')).toEqual({
    controller: 'ahci',
    remarks: [
      "the disk is at AHCI, not at lsi: QEMU's UEFI firmware finds no disk at a controller of kind lsi",
    ],
  })
})
