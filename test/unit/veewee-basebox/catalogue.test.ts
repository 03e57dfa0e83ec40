import { expect, test } from '@jest/globals'
import { boxVersion } from '../../../actions/veewee-basebox/box/catalogue.ts'

test('a box’s version is upstream’s date as RubyGems compares it', () => {
  expect(boxVersion('20261122T020905Z')).toBe('20261122.20905')
  expect(boxVersion('20261122T000000Z')).toBe('20261122.0')
})
