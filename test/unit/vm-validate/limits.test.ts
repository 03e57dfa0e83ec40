import { expect, test } from '@jest/globals'
import { scenarioStep } from '../../../actions/lib/spec/scenario.ts'
import { limitOf } from '../../../actions/vm-validate/steps/perform.ts'

const seconds = async (step: unknown) => limitOf(await scenarioStep.parseAsync(step)) / 1000

test('a step that is tried again has all of that time, whatever one attempt may take', async () => {
  expect(await seconds({ run: 'x', timeout: '1 s' })).toBe(1)
  expect(await seconds({ run: 'x', timeout: '1 s', eventually: '20 s' })).toBe(20)
  expect(await seconds({ port: { port: 80, within: '10 min' } })).toBe(600)
})

test('steps of steps have the time that those in them have, and some to spare', async () => {
  const tried = { run: 'x', timeout: '1 s', eventually: '20 s' }
  const patient = { port: { port: 80, within: '10 min' } }
  expect(await seconds({ repeat: { times: 3, steps: [tried, { run: 'y', timeout: '5 s' }] } })).toBe(85)
  expect(await seconds({ parallel: [patient, { run: 'y' }] })).toBe(610)
  // Asking whether the guest is alive is part of a negated step.
  expect(await seconds({ repeat: { steps: [{ run: 'y', timeout: '5 s', not: true }] } })).toBe(75)
})

test('what boots another machine has the time that a boot has', async () => {
  const booting = await seconds('boot')
  expect(await seconds({ memory: { size: '512 MiB' } })).toBe(booting)
  expect(await seconds({ disk: { add: 'data', size: '1 GiB' } })).toBe(booting)
  expect(await seconds({ memory: { available: '1 MiB' } })).toBeLessThan(booting)
})
