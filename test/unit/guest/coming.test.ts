import { expect, test } from '@jest/globals'
import { comingGuest } from '../../../actions/lib/guest/coming.ts'
import type { Guest } from '../../../actions/lib/guest/guest.ts'

test('what is asked of a guest that is not there yet waits for it', async () => {
  const done: string[] = []
  let arrive: (guest: Guest) => void = () => {}
  await using guest = comingGuest(
    () =>
      new Promise<Guest>((resolve) => {
        arrive = resolve
      }),
  )
  const asked = guest.run('uptime', { timeout: 5 })
  arrive({
    run: async (command: string) => {
      done.push(command)
      return { status: 0, stdout: 'up', stderr: '' }
    },
    [Symbol.asyncDispose]: async () => void done.push('gone'),
  } as unknown as Guest)
  expect(await asked).toEqual({ status: 0, stdout: 'up', stderr: '' })
  await guest[Symbol.asyncDispose]()
  expect(done).toEqual(['uptime', 'gone'])
})

test('one that never comes fails whoever asks, and nobody else', async () => {
  const guest = comingGuest(() => Promise.reject(new Error('no answer')))
  await new Promise((resolve) => setTimeout(resolve, 5))
  await expect(guest.download('/a', 'b')).rejects.toThrow('no answer')
  await guest[Symbol.asyncDispose]()
})

test('nobody waits for one that is no longer wanted', async () => {
  const guest = comingGuest(
    (signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('given up')))),
  )
  const asked = guest.run('uptime')
  await Promise.all([guest[Symbol.asyncDispose](), expect(asked).rejects.toThrow('given up')])
})
