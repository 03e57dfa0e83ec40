import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { sha256 } from '../lib/files/digest.ts'

/** Where the machine of a project listens: a short path, since a socket's is at most 107 bytes long. */
export function socketOf(buildDirectory: string): string {
  return join(tmpdir(), `appliance-vm-${userInfo().uid}-${sha256(buildDirectory).slice(0, 12)}`)
}
