import { describe, expect, test } from '@jest/globals'
import { accelerationFor, cpuFlag } from '../../../actions/lib/hypervisor/accel.ts'

const intel = { flag: 'vmx' as const, kvmError: undefined }

describe('the choice of acceleration', () => {
  test('auto takes KVM when processor and device are there', () => {
    expect(accelerationFor('auto', intel)).toEqual({
      accel: 'kvm',
      reason: 'accel: kvm, because the processor has vmx and /dev/kvm opens',
    })
  })

  test.each([
    [{ flag: undefined, kvmError: undefined }, 'the processor shows neither vmx nor svm'],
    [{ flag: 'svm' as const, kvmError: 'ENOENT' }, '/dev/kvm does not exist'],
    [{ flag: 'vmx' as const, kvmError: 'EACCES' }, '/dev/kvm does not open (EACCES)'],
  ])('auto falls back to TCG for %j, saying why', (facts, why) => {
    expect(accelerationFor('auto', facts)).toEqual({
      accel: 'tcg',
      reason: `accel: tcg (slow), because ${why}`,
    })
  })

  test('tcg is taken even where KVM would work', () => {
    expect(accelerationFor('tcg', intel).accel).toBe('tcg')
  })

  test('kvm fails at once with the rule that permits it', () => {
    const attempt = () => accelerationFor('kvm', { flag: 'vmx', kvmError: 'EACCES' })
    expect(attempt).toThrow('accel: kvm is not possible here: /dev/kvm does not open (EACCES)')
    expect(attempt).toThrow(
      expect.objectContaining({
        code: 'missing-tool',
        hint: expect.stringContaining('/etc/udev/rules.d/99-kvm.rules'),
      }),
    )
  })

  test('kvm on a processor without it names the firmware, though the device opens', () => {
    expect(() => accelerationFor('kvm', { flag: undefined, kvmError: undefined })).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('firmware') }),
    )
  })
})

test.each([
  ['flags\t\t: fpu vme vmx sse\n', 'vmx'],
  ['processor: 0\nflags\t\t: fpu svm\n', 'svm'],
  ['flags\t\t: fpu vmxnet svmx\nvmx flags\t: vnmi vmx\n', undefined],
  ['', undefined],
])('the processor flags in %j are read', (cpuinfo, flag) => {
  expect(cpuFlag(cpuinfo)).toBe(flag)
})
