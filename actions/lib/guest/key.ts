import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { exists } from '../files/exists.ts'
import { run } from '../process/command.ts'

/**
 * The project's build key, made once: `build/key/id_ed25519` and `.pub` beside it. It opens every machine of this
 * project's builds and is in no disk that is written (DESIGN §6).
 *
 * @returns path of the private key
 */
export async function buildKey(buildDirectory: string): Promise<string> {
  const path = join(buildDirectory, 'key', 'id_ed25519')
  if (await exists(path)) return path
  const partial = join(buildDirectory, `.key.${process.pid}`)
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { recursive: true, mode: 0o700 })
  await run('ssh-keygen', [
    '-q',
    '-t',
    'ed25519',
    '-N',
    '',
    '-C',
    'appliance build',
    '-f',
    join(partial, 'id_ed25519'),
  ])
  await rm(join(buildDirectory, 'key'), { recursive: true, force: true })
  await rename(partial, join(buildDirectory, 'key'))
  return path
}
