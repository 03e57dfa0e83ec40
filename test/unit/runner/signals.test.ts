import { getMaxListeners } from 'node:events'
import { expect, test } from '@jest/globals'
import { interruption } from '../../../actions/lib/runner/signals.ts'

// Node 20 takes more than ten for a leak, 24 does not.
test('any number may wait for the interruption: Node warns of no leak', () => {
  using stopped = interruption()
  expect(getMaxListeners(stopped.signal)).toBe(0)
})
