import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, jest, test } from '@jest/globals'
import { resolveDebs } from '../../../actions/mirror-deps/deb/source.ts'
import { publish } from './archive.ts'
import { scratch } from './folder.ts'
import { signingKey } from './signing-key.ts'

jest.setTimeout(60_000)
const folder = await scratch()
const key = await signingKey()
const other = await signingKey()
const archive = await publish(join(folder, 'debian'), { bookworm: [{ name: 'web', version: '1' }] }, { key })
const inRelease = join(archive.root, 'dists/bookworm/InRelease')
const genuine = await readFile(inRelease, 'utf8')

let count = 0
/** What locking the archive says, with this as its signed file and these as the keys. */
async function fault(
  signed: string,
  keys: Uint8Array,
): Promise<{ code: string; message: string; hint: string }> {
  const signedBy = join(folder, `keys-${++count}.gpg`)
  await writeFile(signedBy, keys)
  await writeFile(inRelease, signed)
  const source = {
    name: 'debian',
    uri: `file://${archive.root}`,
    suites: ['bookworm'],
    components: ['main'],
    signedBy,
  }
  try {
    await resolveDebs([source], ['web'], {
      directory: join(folder, `apt-${count}`),
      store: join(folder, 'store'),
      signal: new AbortController().signal,
    })
  } catch (error) {
    return error as never
  }
  throw new Error('it was taken')
}

describe('what cannot be trusted is refused in one line: which source, which file, which key, what to do', () => {
  test('a key that is not among those of signed_by', async () => {
    const { code, message, hint } = await fault(genuine, other.publicKey)
    expect(code).toBe('digest-mismatch')
    expect(message).toBe(
      `deb debian: file:${archive.root} bookworm InRelease cannot be trusted: it is signed by key ${key.id}, which is not in ${join(folder, 'keys-1.gpg')}`,
    )
    expect(hint).toContain('signed_by')
  })

  test('bytes that were changed under a signature', async () => {
    const { code, message } = await fault(genuine.replace('Label: Example', 'Label: Exomple'), key.publicKey)
    expect(code).toBe('digest-mismatch')
    expect(message).toMatch(
      new RegExp(
        `^deb debian: .*InRelease cannot be trusted: its signature by key ${key.id} is not of these bytes`,
      ),
    )
  })

  test('a key that has expired', async () => {
    const { code, message, hint } = await fault(genuine, await key.expiring(30))
    expect(code).toBe('digest-mismatch')
    expect(message).toMatch(
      new RegExp(
        `^deb debian: .*InRelease cannot be trusted: the key ${key.id} that signs it has expired, as .*gpg has it$`,
      ),
    )
    expect(hint).toContain('newer keyring')
  })

  test('no signature at all', async () => {
    const { code, message } = await fault('Origin: Example\n', key.publicKey)
    expect(code).toBe('digest-mismatch')
    expect(message).toMatch(/^deb debian: .*InRelease cannot be trusted: it is not signed$/)
  })

  test('an archive that is no longer kept up', async () => {
    const text = genuine
      .split('\n')
      .slice(3, genuine.split('\n').indexOf('-----BEGIN PGP SIGNATURE-----'))
      .join('\n')
    const old = text.replace(/^Date: .*$/m, (line) => `${line}\nValid-Until: Sun, 22 Nov 2026 09:15:44 UTC`)
    const { code, message } = await fault(
      await key.clearSign(old, new Date('2026-11-21T09:15:44Z')),
      key.publicKey,
    )
    expect(code).toBe('unreachable')
    expect(message).toMatch(/^deb debian: Release file for .*InRelease is expired \(invalid since/)
  })
})
