import { createPrivateKey, type KeyObject, sign as signWith, verify, X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { Fault } from '../../lib/errors/fault.ts'
import { run } from '../../lib/process/command.ts'

/** Signs with RSA over SHA-256 (PKCS #1 v1.5), the kind that every importer and every openssl knows. */
export interface Signer {
  /** PEM. */
  certificate: string
  sign(data: Uint8Array): Promise<Buffer>
}

/** As in `pack.sign`: `env:NAME`, a file or a `pkcs11:` URI; a PEM file. */
export interface SignOrder {
  key: string
  certificate: string
}

/**
 * Opens a key and tries it: it has to be RSA, and the certificate's.
 *
 * @param folder for what openssl reads
 * @param now milliseconds since 1970
 */
export async function openSigner(
  { key, certificate }: SignOrder,
  folder: string,
  now: number,
  signal: AbortSignal,
): Promise<Signer> {
  const { pem, read } = await certificateIn(certificate)
  if (Date.parse(read.validTo) < now || Date.parse(read.validFrom) > now)
    throw fault(
      `pack.sign.certificate: it is valid from ${read.validFrom} to ${read.validTo}, not today`,
      'Renew it.',
    )
  const sign = key.startsWith('pkcs11:')
    ? await tokenSigner(key, folder, signal)
    : keySigner(await privateKey(key))
  await prove(sign, read)
  const [first] = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/.exec(pem)!
  return { certificate: `${first}\n`, sign }
}

/** What is wrong with key or certificate, as far as it can be seen without the token, on any day. */
export async function signFaults({ key, certificate }: SignOrder): Promise<Fault[]> {
  const elsewhere = key.startsWith('pkcs11:') || (key.startsWith('env:') && !process.env[key.slice(4)])
  try {
    const { read } = await certificateIn(certificate)
    if (!elsewhere) await prove(keySigner(await privateKey(key)), read)
    return []
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'input') return [{ message: error.message }]
    throw error
  }
}

async function certificateIn(path: string): Promise<{ pem: string; read: X509Certificate }> {
  const pem = await readFile(path, 'utf8')
  try {
    const read = new X509Certificate(pem)
    const kind = read.publicKey.asymmetricKeyType
    if (kind === 'rsa') return { pem, read }
    throw fault(
      `pack.sign.certificate: its key is ${kind}; importers know RSA only`,
      'Make an RSA key of 3072 bits and a certificate for it.',
    )
  } catch (error) {
    if (error instanceof ApplianceError) throw error
    throw fault(
      `pack.sign.certificate: ${path} is no PEM certificate`,
      'openssl x509 -in FILE -text shows one.',
      error,
    )
  }
}

async function prove(sign: Signer['sign'], certificate: X509Certificate): Promise<void> {
  const proof = Buffer.from('appliance')
  if (!verify('sha256', proof, certificate.publicKey, await sign(proof)))
    throw fault(
      'pack.sign: the key is not that of the certificate',
      'openssl x509 -in CERTIFICATE -noout -pubkey and openssl pkey -in KEY -pubout have to agree.',
    )
}

async function privateKey(key: string): Promise<KeyObject> {
  const name = key.startsWith('env:') ? key.slice(4) : undefined
  const text = name === undefined ? await readFile(key, 'utf8') : process.env[name]
  if (!text)
    throw fault(
      `pack.sign.key: the environment variable ${name} is not set`,
      'In a workflow: env: from a secret of the repository.',
    )
  try {
    return createPrivateKey(text)
  } catch (error) {
    const where = name === undefined ? key : `the environment variable ${name}`
    throw fault(
      `pack.sign.key: ${where} holds no private key that can be read (PEM, without a passphrase)`,
      'openssl pkey -in KEY -noout tells whether it is one.',
      error,
    )
  }
}

function keySigner(key: KeyObject): Signer['sign'] {
  if (key.asymmetricKeyType !== 'rsa')
    throw fault(
      `pack.sign.key: it is ${key.asymmetricKeyType}; importers know RSA only`,
      'Make an RSA key of 3072 bits.',
    )
  return async (data) => signWith('sha256', data, key)
}

/**
 * A key that never leaves its token: openssl signs, by the provider or, with older ones, the engine for PKCS #11.
 *
 * @see RFC 7512, the URI; its pin-source keeps the PIN out of the list of processes
 */
async function tokenSigner(uri: string, folder: string, signal: AbortSignal): Promise<Signer['sign']> {
  const ways = [
    ['-provider', 'pkcs11', '-provider', 'default'],
    ['-engine', 'pkcs11', '-keyform', 'engine'],
  ]
  const input = join(folder, 'to-sign')
  const attempt = async (way: readonly string[], data: Uint8Array) => {
    const output = join(folder, 'signature')
    await writeFile(input, data)
    const result = await run('openssl', ['dgst', '-sha256', ...way, '-sign', uri, '-out', output, input], {
      signal,
      allowFailure: true,
    })
    return result.status === 0
      ? { signature: await readFile(output) }
      : { said: result.stderr.trim().split('\n').at(-1) }
  }
  const complaints: string[] = []
  for (const way of ways) {
    const { signature, said } = await attempt(way, Buffer.from('appliance'))
    if (signature)
      return async (data) => {
        const signed = await attempt(way, data)
        if (signed.signature) return signed.signature
        throw new ApplianceError('command-failed', `openssl could not sign with the token: ${signed.said}`)
      }
    complaints.push(`${way[0] === '-engine' ? 'engine' : 'provider'}: ${said}`)
  }
  throw fault(
    `pack.sign.key: openssl cannot sign with the token (${complaints.join('; ')})`,
    'Install pkcs11-provider (or libengine-pkcs11-openssl) and the module of the token; put the PIN into the URI by pin-source=file:….',
  )
}

function fault(message: string, hint: string, cause?: unknown): ApplianceError {
  return new ApplianceError('input', message, { hint, ...(cause === undefined ? {} : { cause }) })
}

/** The `.cert` of a manifest: its signature in hex, then the certificate (DSP0243 1.1.0, clause 5.1). */
export async function certificateFile(signer: Signer, name: string, manifest: Buffer): Promise<Buffer> {
  const signature = (await signer.sign(manifest)).toString('hex')
  return Buffer.from(`SHA256(${name})= ${signature}\n${signer.certificate}`)
}
