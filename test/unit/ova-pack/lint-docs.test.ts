import { readFile } from 'node:fs/promises'
import { expect, test } from '@jest/globals'
import { withRules } from '../../../script/lint-docs.ts'

test('docs/lint.md lists every rule as it is; script/lint-docs writes it', async () => {
  const text = await readFile('docs/lint.md', 'utf8')
  expect(text).toBe(withRules(text))
})
