import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from '@jest/globals'
import { readSpec } from '../../../actions/lib/spec/read.ts'

const folder = await mkdtemp(join(tmpdir(), 'appliance-spec-'))
afterAll(() => rm(folder, { recursive: true }))
await writeFile(join(folder, 'keys.gpg'), '')

/** The first fault of a spec with this entry, or its entry. */
async function read(entry: string, kind = 'file') {
  const file = join(folder, 'appliance.yml')
  await writeFile(file, `name: box\nversion: 1.0.0\nmirror:\n  ${kind}:\n    - { ${entry} }\n`)
  return await readSpec(file).then(
    ({ mirror }) => mirror[kind as 'file' | 'iso' | 'git'][0],
    (error: Error) => error.message,
  )
}

const url = 'url: https://example.test/jdk.tar.gz'

test('a file or an ISO image, with all that may be said of it', async () => {
  const signed = 'signature: https://example.test/SHA256SUMS.sign, keyring: keys.gpg, license: Apache-2.0'
  for (const kind of ['file', 'iso'])
    expect(await read(`${url}, ${signed}, auth: { user: me, password: env:SECRET }`, kind)).toMatchObject({
      name: 'jdk.tar.gz',
      keyring: join(folder, 'keys.gpg'),
      auth: { user: 'me', password: 'env:SECRET' },
    })
})

test.each([
  [
    'signature: https://example.test/jdk.tar.gz.asc',
    'signature: needs a keyring beside it: a file with the keys',
  ],
  ['keyring: keys.gpg', 'keyring: needs a signature beside it'],
  ['signature: https://example.test/a.asc, keyring: none.gpg', 'there is no none.gpg'],
  ['auth: { user: me }', 'auth: needs a token, or user and password'],
  ['auth: {}', 'auth: needs a token, or user and password'],
  [
    'auth: { user: me, password: env:A, token: env:B }',
    'auth: takes a token, or user and password, not both',
  ],
  ['auth: { token: hunter2 }', 'expected env:NAME, the environment variable that holds it'],
  ['sha512: abc', 'expected a SHA-512: 128 digits of 0-9 and a-f'],
])('%s is refused', async (more, said) => {
  expect(await read(`${url}, ${more}`)).toContain(said)
})

test('a secret where its place was expected is not repeated', async () => {
  expect(await read(`${url}, auth: { token: hunter2 }`)).not.toContain('hunter2')
})

test.each([
  'https://me:hunter2@example.test/jdk.tar.gz',
  'ftp://me:hunter2@example.test/jdk.tar.gz',
  'https://example.test/jdk.tar.gz?v=1&private_token=hunter2',
  'https://store.example.test/jdk.tar.gz?X-Amz-Credential=me&X-Amz-Signature=hunter2',
])('an address with credentials is refused without repeating them: case %#', async (address) => {
  const said = await read(`name: jdk, url: "${address}"`)
  expect(said).toContain('it may hold no credentials')
  expect(said).not.toContain('hunter2')
})

test.each([
  'https://ghp_hunter2@example.test/team/product.git',
  'ssh://git:hunter2@example.test/product.git',
])('so is a git address: case %#', async (address) => {
  const said = await read(`ref: v1, url: "${address}"`, 'git')
  expect(said).toContain('it may hold no credentials')
  expect(said).not.toContain('hunter2')
})

test.each(['ssh://git@example.test/team/product.git', 'git@example.test:team/product.git'])(
  'an account is none: %s',
  async (address) => {
    expect(await read(`ref: v1, url: "${address}"`, 'git')).toMatchObject({ url: address, name: 'product' })
  },
)
