import { expect, test } from '@jest/globals'
import { type Prepared, possibleWith } from '../../../actions/vm-validate/subject.ts'

test('a driver that makes usual machines alone is given one, and what is left out is told', () => {
  const data = { path: '/data.raw', format: 'raw' }
  const prepared = {
    machine: { name: 'x', nics: 2, moreDisks: [data] },
    remarks: ['a'],
  } as unknown as Prepared
  expect(possibleWith({ name: 'qemu', can: ['hardware'] }, prepared)).toEqual(prepared)
  expect(possibleWith({ name: 'vagrant', can: ['console'] }, prepared)).toEqual({
    machine: { name: 'x' },
    remarks: ['a', 'vagrant leaves out 1 of its 2 network cards and its 1 data disk'],
  })
  const usual = { machine: { name: 'x', nics: 1 }, remarks: [] } as unknown as Prepared
  expect(possibleWith({ name: 'vagrant', can: [] }, usual)).toEqual(usual)
})
