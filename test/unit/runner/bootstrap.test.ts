import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from '@jest/globals'
import { programs } from '../../../actions/appliance/doctor.ts'

test('script/bootstrap installs whatever the doctor asks for', () => {
  const script = readFileSync(resolve(import.meta.dirname, '../../../script/bootstrap'), 'utf8')
  const [, list] = /^build_packages=.*\n([\s\S]*?)^LIST$/m.exec(script)!
  const installed = list!.split('\n').map((line) => line.split(/\s+/)[0])
  expect(installed).toEqual(expect.arrayContaining(programs.map(({ packageName }) => packageName)))
})
