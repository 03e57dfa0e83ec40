import { expect, test } from '@jest/globals'
import { each, pairwise } from '../../../actions/vm-validate/pairwise.ts'

const hardware = {
  firmware: ['bios', 'uefi'],
  controller: ['virtio', 'ide', 'ahci', 'lsi', 'pvscsi', 'nvme'],
  nic: ['virtio', 'e1000', 'e1000e', 'vmxnet3', 'pcnet'],
  cpus: [1, 4],
  nics: [1, 2],
}

test('every two values meet, in far fewer machines than there are combinations', () => {
  const found = pairwise(hardware)
  const names = Object.keys(hardware) as (keyof typeof hardware)[]
  for (const a of names)
    for (const b of names.filter((name) => name > a))
      for (const x of hardware[a])
        for (const y of hardware[b])
          expect(found.some((one) => one[a] === x && one[b] === y) ? '' : `${a} ${x} with ${b} ${y}`).toBe('')
  // 6 × 5 is the least there can be; all of them are 240.
  expect(found.length).toBeGreaterThanOrEqual(30)
  expect(found.length).toBeLessThanOrEqual(36)
  expect(pairwise(hardware)).toEqual(found)
})

test('few names are no special case', () => {
  expect(pairwise({})).toEqual([])
  expect(pairwise({ nic: ['a', 'b'], none: [] })).toEqual([{ nic: 'a' }, { nic: 'b' }])
  expect(each({ nic: ['a', 'b', 'c'], cpus: [1, 2] })).toEqual([
    { nic: 'a', cpus: 1 },
    { nic: 'b', cpus: 2 },
    { nic: 'c', cpus: 1 },
  ])
})
