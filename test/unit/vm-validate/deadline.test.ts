import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from '@jest/globals'
import { eventually, within } from '../../../actions/vm-validate/deadline.ts'

const never = new AbortController().signal

describe('a deadline', () => {
  test('holds even when the work does not heed its signal', async () => {
    const work = () => sleep(3000, 'late', { ref: false })
    await expect(within(50, never, 'the step', work)).rejects.toMatchObject({
      code: 'timeout',
      message: 'the step took longer than 0.1 s',
    })
  })

  test('aborts the work', async () => {
    let aborted = false
    const work = (signal: AbortSignal) =>
      new Promise<void>((_, reject) =>
        signal.addEventListener('abort', () => {
          aborted = true
          reject(new Error('aborted'))
        }),
      )
    await expect(within(20, never, 'it', work)).rejects.toMatchObject({ code: 'timeout' })
    expect(aborted).toBe(true)
  })

  test('lets the work’s own answer and error through', async () => {
    await expect(within(1000, never, 'it', async () => 7)).resolves.toBe(7)
    await expect(within(1000, never, 'it', () => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
  })

  test('farther away than a timer can count is none', async () => {
    await expect(within(2 ** 40, never, 'it', () => sleep(100, 7))).resolves.toBe(7)
  })

  test('an abort from outside is not taken for a timeout', async () => {
    const outside = new AbortController()
    setTimeout(() => outside.abort(), 20)
    await expect(
      within(5000, outside.signal, 'it', () => sleep(3000, undefined, { ref: false })),
    ).rejects.toMatchObject({ name: 'AbortError' })
  })
})

describe('eventually', () => {
  test('tries until it is content', async () => {
    let tries = 0
    const { answer, attempts } = await eventually(
      5000,
      never,
      async () => ++tries,
      (n) => n === 2,
    )
    expect([answer, attempts]).toEqual([2, 2])
  })

  test('gives the last answer when the time is over', async () => {
    const began = performance.now()
    const { answer, attempts } = await eventually(
      700,
      never,
      async () => 'no',
      () => false,
    )
    expect(answer).toBe('no')
    expect(attempts).toBe(2)
    expect(performance.now() - began).toBeLessThan(15_000)
  })
})
