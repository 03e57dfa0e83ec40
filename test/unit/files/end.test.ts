import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { endOfFile } from '../../../actions/lib/files/end.ts'

test('of gigabytes that a guest has said, the end alone is read', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'appliance-end-'))
  try {
    const path = join(folder, 'serial.log')
    await using file = await open(path, 'w')
    await file.truncate(5 * 2 ** 30)
    await file.write('login: ', 5 * 2 ** 30)
    expect(String(await endOfFile(path, 7))).toBe('login: ')
    expect(await endOfFile(path, 1 << 16)).toHaveLength(1 << 16)
    await file.truncate(3)
    expect(await endOfFile(path, 1 << 16)).toEqual(Buffer.alloc(3))
  } finally {
    await rm(folder, { recursive: true })
  }
})
