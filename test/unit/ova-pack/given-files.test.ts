import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { run } from '../../../actions/lib/process/command.ts'
import type { Spec } from '../../../actions/lib/spec/spec.ts'
import { givenFileFaults } from '../../../actions/ova-pack/given-files.ts'

let folder: string
const at = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'given-files-'))
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder })
  for (const name of ['one', 'two'])
    await openssl(
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${name}`],
      ...['-keyout', `${name}.key`, '-out', `${name}.pem`],
    )
  await openssl('genpkey', '-algorithm', 'ed25519', '-out', 'ed25519.key')
  for (const kind of ['ed25519', 'ecdsa'])
    await run('ssh-keygen', ['-q', '-t', kind, '-N', '', '-f', at(`id_${kind}`)])
  await writeFile(at('text'), 'Be nice.\n')
  await writeFile(at('empty'), '# none yet\n')
  const keys = await Promise.all(['ed25519', 'ecdsa'].map((kind) => readFile(at(`id_${kind}.pub`), 'utf8')))
  await writeFile(at('keys'), `# ours\n${keys.join('')}from="10.0.0.0/8",command="echo a b" ${keys[0]}`)
  await writeFile(at('cut'), keys[0]!.replace(/AAAA\S{6}/, 'AAAA'))
  await writeFile(at('logo.png'), Buffer.from('89504e470d0a1a0a0000000d494844520000000100000001', 'hex'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function faults(pack: object): Promise<string[]> {
  return (await givenFileFaults(pack as Spec['pack'])).map(({ message }) =>
    message.replaceAll(`${folder}/`, ''),
  )
}

test('good files are no fault', async () => {
  const sign = { key: at('one.key'), certificate: at('one.pem') }
  expect(await faults({ icon: at('logo.png'), root: { key: at('keys') }, sign })).toEqual([])
  expect(await faults({ root: 'locked' })).toEqual([])
})

test('all that is wrong is told at once', async () => {
  const sign = { key: at('text'), certificate: at('one.pem') }
  expect(await faults({ icon: at('text'), root: { key: at('text') }, sign })).toEqual([
    'pack.icon: text is no PNG, which importers show everywhere',
    'pack.root.key: text has a line that is no public key: "Be nice."; ssh-keygen -y -f PRIVATE_KEY prints one',
    'pack.sign.key: text holds no private key that can be read (PEM, without a passphrase)',
  ])
})

test.each([
  ['id_ed25519', 'id_ed25519 is a private key; the public one, id_ed25519.pub, is what root needs'],
  ['empty', 'empty holds no key; ssh-keygen'],
  ['cut', 'cut has a line that is no public key: "ssh-ed25519 AAAA'],
])('root’s key: %s', async (name, expected) => {
  expect(await faults({ root: { key: at(name) } })).toEqual([
    expect.stringContaining(`pack.root.key: ${expected}`),
  ])
})

test.each([
  ['one.key', 'two.pem', 'pack.sign: the key is not that of the certificate'],
  ['ed25519.key', 'one.pem', 'pack.sign.key: it is ed25519; importers know RSA only'],
  ['one.key', 'text', 'pack.sign.certificate: text is no PEM certificate'],
])('a signature by %s with %s', async (key, certificate, expected) => {
  expect(await faults({ sign: { key: at(key), certificate: at(certificate) } })).toEqual([expected])
})

test('a key that is elsewhere is not asked for; one in the environment is held to the certificate', async () => {
  const sign = { key: 'env:GIVEN_FILES_KEY', certificate: at('one.pem') }
  expect(await faults({ sign })).toEqual([])
  expect(await faults({ sign: { ...sign, key: 'pkcs11:token=none' } })).toEqual([])
  process.env.GIVEN_FILES_KEY = await readFile(at('two.key'), 'utf8')
  expect(await faults({ sign })).toEqual(['pack.sign: the key is not that of the certificate'])
  delete process.env.GIVEN_FILES_KEY
})
