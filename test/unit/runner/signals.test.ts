import { expect, test } from '@jest/globals'
import { interruption } from '../../../actions/lib/runner/signals.ts'

/** Node 20's getMaxListeners throws where the answer is 0, which means any number. */
function mostListeners(signal: AbortSignal): unknown {
  const name = Object.getOwnPropertySymbols(signal).find(
    ({ description }) => description === 'events.maxEventTargetListeners',
  )
  return name && Reflect.get(signal, name)
}

// Node 20 takes more than ten for a leak, 24 does not.
test('any number may wait for the interruption: Node warns of no leak', () => {
  using stopped = interruption()
  expect(mostListeners(stopped.signal)).toBe(0)
})
