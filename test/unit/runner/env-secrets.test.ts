import { expect, test } from '@jest/globals'
import { InputError } from '../../../actions/lib/errors/fault.ts'
import { envSecrets, takeEnvSecrets } from '../../../actions/lib/runner/env-secrets.ts'

test('lines of NAME=value; with NAME<<END a value of several', () => {
  const text = 'TOKEN=a=b<<c\n\nKEY<<END\r\n-----BEGIN\nNOT=one\n\n-----END\nEND\r\n  LAST= blank \nEMPTY=\n'
  expect(envSecrets(text)).toEqual({
    variables: { TOKEN: 'a=b<<c', KEY: '-----BEGIN\nNOT=one\n\n-----END', LAST: ' blank ', EMPTY: '' },
    faults: [],
  })
})

test('what says nothing is refused by its number, all of it at once, and what stands in it is not repeated', () => {
  const { variables, faults } = envSecrets('A=1\nhunter2\nPATH=/tmp\nB<<\n1x=hunter2\nKEY<<END\nhunter2\n')
  expect(variables).toEqual({ A: '1' })
  const expected = "expected NAME=value or, for more than a line, NAME<<END, the value's lines, END"
  expect(faults.map(({ message }) => message)).toEqual([
    `secret env-secrets, line 2: ${expected}`,
    "secret env-secrets, line 3: PATH is not for a spec's secrets: give it another name",
    `secret env-secrets, line 4: ${expected}`,
    `secret env-secrets, line 5: ${expected}`,
    'secret env-secrets, line 6: the value of KEY has no end: no line after it is what stands behind <<',
  ])
})

test('they are set and masked, and the secret as a whole is handed on to no program', () => {
  const masked: string[] = []
  const env: NodeJS.ProcessEnv = { APPLIANCE_ENV_SECRETS: 'A=one\nB=\n', B: 'stays' }
  takeEnvSecrets({ mask: (secret) => void masked.push(secret) }, env)
  expect(env).toEqual({ A: 'one', B: 'stays' })
  expect(masked).toContain('one')
})

test('where something is wrong, nothing is set, and what was understood is masked all the same', () => {
  const masked: string[] = []
  const env: NodeJS.ProcessEnv = { APPLIANCE_ENV_SECRETS: 'A=one\ntwo\n' }
  const take = () => takeEnvSecrets({ mask: (secret) => void masked.push(secret) }, env)
  expect(take).toThrow(InputError)
  expect([env, masked]).toEqual([{}, ['one']])
})
