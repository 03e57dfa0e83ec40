import { describe, expect, test } from '@jest/globals'
import { firstDifference, valueAt } from '../../../actions/vm-validate/json-subset.ts'

describe('a JSON value holds what is expected of it', () => {
  test.each([
    [{ key: 'A' }, { key: 'A', more: 1 }],
    [{ a: { b: [1, { c: 2 }] } }, { a: { b: [1, { c: 2, d: 3 }] }, e: 4 }],
    [[], []],
    [null, null],
    ['text', 'text'],
    [{}, { any: 'thing' }],
  ])('%j is in %j', (expected, got) => {
    expect(firstDifference(expected, got)).toBeUndefined()
  })

  test.each([
    [{ key: 'A' }, { key: 'B' }, { path: 'key', expected: 'A', got: 'B' }],
    [{ key: 'A' }, {}, { path: 'key', expected: 'A', got: undefined }],
    [{ key: 'A' }, ['A'], { path: '', expected: { key: 'A' }, got: ['A'] }],
    [{ list: [1, 2] }, { list: [1, 2, 3] }, { path: 'list.length', expected: 2, got: 3 }],
    [{ list: [{ a: 1 }] }, { list: [{ a: 2 }] }, { path: 'list[0].a', expected: 1, got: 2 }],
    [1, '1', { path: '', expected: 1, got: '1' }],
    [{}, null, { path: '', expected: {}, got: null }],
    [{ toString: 'x' }, {}, { path: 'toString', expected: 'x', got: undefined }],
  ])('%j is not in %j', (expected, got, difference) => {
    expect(firstDifference(expected, got)).toEqual(difference)
  })
})

test('a value is found by its path', () => {
  const value = { licenses: [{ key: 'A' }], 'odd-name': 1 }
  expect(valueAt(value, 'licenses[0].key')).toBe('A')
  expect(valueAt(value, 'odd-name')).toBe(1)
  expect(valueAt(value, 'licenses[1].key')).toBeUndefined()
  expect(valueAt(value, 'constructor')).toBeUndefined()
})
