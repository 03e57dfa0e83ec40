import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { exists } from '../../../actions/lib/files/exists.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { certificateFile, openSigner } from '../../../actions/ova-pack/trust/signer.ts'
import { signingKey } from './specimen.ts'

let folder: string
let key: string
let certificate: string
const { signal } = new AbortController()
/** openssl counts whole seconds. */
const now = Date.now() + 60_000

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ova-signer-'))
  const made = await signingKey(folder)
  key = made.key
  certificate = made.certificate
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Has openssl check a `.cert`, as somebody would who has nothing of ours. */
async function opensslAccepts(cert: Buffer, manifest: Buffer): Promise<string> {
  const [line = '', ...pem] = cert.toString().split('\n')
  await writeFile(join(folder, 'x.mf'), manifest)
  await writeFile(join(folder, 'x.sig'), Buffer.from(line.split('= ')[1]!, 'hex'))
  await writeFile(join(folder, 'x.pem'), pem.join('\n'))
  await writeFile(
    join(folder, 'x.pub'),
    (await run('openssl', ['x509', '-in', join(folder, 'x.pem'), '-noout', '-pubkey'])).stdout,
  )
  const { stdout } = await run(
    'openssl',
    ['dgst', '-sha256', '-verify', 'x.pub', '-signature', 'x.sig', 'x.mf'],
    { cwd: folder },
  )
  return stdout
}

describe('signs', () => {
  const manifest = Buffer.from('SHA256(x.ovf)= 00\n')

  test('with a key from a file and from the environment', async () => {
    process.env.SIGNER_TEST_KEY = await readFile(key, 'utf8')
    for (const from of [key, 'env:SIGNER_TEST_KEY']) {
      const signer = await openSigner({ key: from, certificate }, folder, now, signal)
      const cert = await certificateFile(signer, 'x.mf', manifest)
      expect(cert.toString()).toMatch(/^SHA256\(x\.mf\)= [0-9a-f]{512}\n-----BEGIN CERTIFICATE-----\n/)
      expect(await opensslAccepts(cert, manifest)).toBe('Verified OK\n')
    }
    delete process.env.SIGNER_TEST_KEY
  })

  const module = '/usr/lib/softhsm/libsofthsm2.so'
  test('with a key that never leaves its token (PKCS #11)', async () => {
    if (!(await exists(module)) || !(await exists('/usr/bin/softhsm2-util')))
      return console.warn('skipped: softhsm2 is not installed')
    const before = {
      SOFTHSM2_CONF: process.env.SOFTHSM2_CONF,
      PKCS11_MODULE_PATH: process.env.PKCS11_MODULE_PATH,
    }
    const tokens = join(folder, 'tokens')
    await mkdir(tokens)
    await writeFile(
      join(folder, 'softhsm2.conf'),
      `directories.tokendir = ${tokens}\nobjectstore.backend = file\n`,
    )
    await writeFile(join(folder, 'pin'), '1234')
    process.env.SOFTHSM2_CONF = join(folder, 'softhsm2.conf')
    process.env.PKCS11_MODULE_PATH = module
    try {
      await run('softhsm2-util', [
        '--init-token',
        '--free',
        '--label',
        'ours',
        '--so-pin',
        '1234',
        '--pin',
        '1234',
      ])
      const pkcs8 = join(folder, 'pkcs8.pem')
      await run('openssl', ['pkcs8', '-topk8', '-nocrypt', '-in', key, '-out', pkcs8])
      await run('softhsm2-util', [
        '--import',
        pkcs8,
        '--token',
        'ours',
        '--label',
        'release',
        '--id',
        'a1',
        '--pin',
        '1234',
      ])
      const uri = `pkcs11:token=ours;object=release;type=private?pin-source=file:${join(folder, 'pin')}`
      const signer = await openSigner({ key: uri, certificate }, folder, now, signal)
      expect(await opensslAccepts(await certificateFile(signer, 'x.mf', manifest), manifest)).toBe(
        'Verified OK\n',
      )
    } finally {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    }
  })
})

describe('refuses, in one line,', () => {
  const attempt = (order: Partial<{ key: string; certificate: string }>, at = now) =>
    openSigner({ key, certificate, ...order }, folder, at, signal)
  const message = (text: string) =>
    expect.objectContaining({ code: 'input', message: expect.stringContaining(text) })

  test("another's certificate", async () => {
    const other = join(folder, 'other')
    await mkdir(other)
    await expect(attempt({ certificate: (await signingKey(other)).certificate })).rejects.toEqual(
      message('the key is not that of the certificate'),
    )
  })

  test('an expired one', async () => {
    await expect(attempt({}, now + 4000 * 86_400_000)).rejects.toEqual(message('not today'))
  })

  test('no certificate, no key, a variable that is not set, a token that is not there', async () => {
    await expect(attempt({ certificate: key })).rejects.toEqual(message('is no PEM certificate'))
    await expect(attempt({ key: certificate })).rejects.toEqual(message('holds no private key'))
    await expect(attempt({ key: 'env:NOT_SET_ANYWHERE' })).rejects.toEqual(
      message('NOT_SET_ANYWHERE is not set'),
    )
    await expect(attempt({ key: 'pkcs11:token=none;object=none' })).rejects.toEqual(
      message('openssl cannot sign with the token'),
    )
  })

  test('a key that is not RSA', async () => {
    const ec = join(folder, 'ec.pem')
    const pem = join(folder, 'ec-certificate.pem')
    await run('openssl', [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      '/CN=x',
      '-keyout',
      ec,
      '-out',
      pem,
    ])
    await expect(attempt({ key: ec, certificate: pem })).rejects.toEqual(message('importers know RSA only'))
  })
})
