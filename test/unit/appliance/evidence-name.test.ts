import { expect, test } from '@jest/globals'
import { evidenceName } from '../../../actions/appliance/evidence-name.ts'

test.each([
  [{}, 1, 'vm-validate-evidence'],
  [{ 'working-directory': '.', spec: 'appliance.yml', tags: undefined }, 1, 'vm-validate-evidence'],
  [{ tags: 'slow' }, 1, 'vm-validate-evidence-slow'],
  [{ tags: 'slow, smoke' }, 2, 'vm-validate-evidence-slow-smoke-attempt-2'],
  [{ ova: 'build/ova-pack/x.ova' }, 1, 'vm-validate-evidence-ova'],
  [{ 'working-directory': './examples/one' }, 1, 'vm-validate-evidence-examples-one'],
  [{ scenario: 'A licence survives\na "restore"' }, 1, 'vm-validate-evidence-A-licence-survives-a-restore'],
])('evidence of %j in attempt %d is %s', (values, attempt, name) => {
  expect(evidenceName('vm-validate', values, attempt)).toBe(name)
})
