import { expect, test } from '@jest/globals'
import { permission } from '../../../actions/ova-pack/verdict.ts'

const disk = 'd'.repeat(64)
const record = (verdict: string, sha256: string) => ({
  value: (name: string) => (name === 'verdict' ? verdict : sha256),
})

test('a passing verdict on this very disk permits', () => {
  expect(permission(record('passed', disk), disk, false)).toBe('validated')
  expect(permission(record('passed', disk), disk, true)).toBe('validated')
})

test.each([
  ['none at all', undefined, /has not been run/],
  ['a failing one', record('failed', disk), /its verdict is: failed/],
  ['one on another disk', record('passed', 'e'.repeat(64)), /another disk/],
])('%s is refused with its reason, or noted when the user insists', (_, validation, reason) => {
  expect(() => permission(validation, disk, false)).toThrow(
    expect.objectContaining({ code: 'unvalidated', message: expect.stringMatching(reason) }),
  )
  expect(permission(validation, disk, true)).toBe('unvalidated')
})
