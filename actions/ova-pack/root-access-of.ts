import { readFile } from 'node:fs/promises'
import { ApplianceError } from '../lib/errors/error.ts'
import { slowDigest } from '../lib/files/slow-digest.ts'
import { run } from '../lib/process/command.ts'
import type { Spec } from '../lib/spec/spec.ts'
import type { RootAccess } from './generalise/root-access.ts'

/** What the spec says about root, with the key's text and the password's hash in it. */
export async function rootAccessOf(
  { name, pack }: Spec,
  signal: AbortSignal,
): Promise<RootAccess | undefined> {
  const { root } = pack
  if (root === undefined) return undefined
  if (root === 'locked') return { kind: 'locked' }
  if (root === 'asks-at-first-boot') return { kind: 'asks' }
  if ('key' in root) return { kind: 'key', lines: `${(await readFile(root.key, 'utf8')).trim()}\n` }
  const variable = root.password.slice('env:'.length)
  const password = process.env[variable]
  if (!password)
    throw new ApplianceError('input', `pack.root.password: the environment variable ${variable} is not set`, {
      hint: 'In a workflow: env: from a secret of the repository.',
    })
  // The same password gives the same disk, so the salt follows from it; whoever has the disk reads it.
  const salt = slowDigest(`salt of root on ${name}`, password, 12).toString('base64').replaceAll('+', '.')
  const { stdout } = await run('openssl', ['passwd', '-6', '-salt', salt, '-stdin'], {
    input: `${password}\n`,
    signal,
  })
  return { kind: 'password', hash: stdout.trim() }
}
