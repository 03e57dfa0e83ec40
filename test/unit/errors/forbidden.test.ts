import { readFile } from 'node:fs/promises'
import { expect, test } from '@jest/globals'
import { exitStatus, toApplianceError } from '../../../actions/lib/errors/error.ts'

/** As Node's file system functions throw. */
function thrown(code: string, syscall: string, path?: string): Error {
  return Object.assign(new Error(`${code}: no, ${syscall} '${path}'`), { code, syscall, path })
}

test.each([
  ['EROFS', 'open', '/srv/build/x cannot be written: its file system is read-only'],
  ['EACCES', 'mkdir', '/srv/build/x cannot be used (mkdir): this user may not'],
  ['EPERM', 'chown', '/srv/build/x cannot be used (chown): it is not permitted'],
])('%s is the user’s to mend, and says which file', (code, syscall, message) => {
  const error = toApplianceError(thrown(code, syscall, '/srv/build/x'))
  expect(error).toMatchObject({ code: 'missing-tool', message })
  expect(error.hint).toContain('--working-directory')
  expect(exitStatus(error)).toBe(1)
})

test('what names no file, or is of another kind, is our fault still', async () => {
  expect(toApplianceError(thrown('EPERM', 'kill')).code).toBe('internal')
  const absent = await readFile('/nowhere/at/all').catch((error: Error) => error)
  expect(toApplianceError(absent).code).toBe('internal')
})
