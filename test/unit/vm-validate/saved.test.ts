import { describe, expect, test } from '@jest/globals'
import { fill } from '../../../actions/vm-validate/saved.ts'

const values = new Map([
  ['key', 'ABCD'],
  ['secret.admin', 'pa$$word'],
])

describe('{{name}}', () => {
  test('is filled in wherever a string is', () => {
    const step = { path: '/licenses/{{key}}', json: { list: ['{{ key }}-{{key}}', 1, null] }, when: /x/ }
    expect(fill(step, values)).toEqual({
      path: '/licenses/ABCD',
      json: { list: ['ABCD-ABCD', 1, null] },
      when: /x/,
    })
  })

  test('a value is taken as it is, and $NAME is the guest’s', () => {
    expect(fill('{{secret.admin}} $HOME {key}', values)).toBe('pa$$word $HOME {key}')
    expect(fill('{{a}}', new Map([['a', '{{key}}']]))).toBe('{{key}}')
  })

  test('an unknown one is an error that names the nearest', () => {
    expect(() => fill({ a: ['{{kye}}'] }, values)).toThrow('{{kye}} has no value here; did you mean {{key}}?')
    expect(() => fill('{{constructor}}', values)).toThrow('{{constructor}} has no value here')
  })
})
