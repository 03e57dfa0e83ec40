import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from '@jest/globals'

/** A folder for the tests of a file, gone after them. */
export async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'appliance-mirror-'))
  afterAll(() => rm(folder, { recursive: true, force: true }))
  return folder
}
