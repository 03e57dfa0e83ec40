import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createCleartextMessage, generateKey, type PrivateKey, readPrivateKey, sign } from 'openpgp'
import { writeAtomically } from '../lib/files/atomic.ts'

/** The key with which the mirror signs its own small repositories; one per project, made once. */
export interface MirrorKey {
  /** Binary, as apt's signed-by takes it. */
  publicKey: Uint8Array
  /** OpenPGP cleartext signature (RFC 9580 §7). The same text and date give the same bytes. */
  clearSign(text: string, date: Date): Promise<string>
}

/** An arbitrary day before every signature: a key must not be younger than what it signs. */
const BORN = new Date('2020-01-01T00:00:00Z')

/** Begun before it is needed, a new key takes nobody's time: its primes are sought beside the downloads. */
export async function mirrorKey(directory: string): Promise<MirrorKey> {
  const path = join(directory, 'mirror.asc')
  let armored = await readFile(path, 'utf8').catch(() => undefined)
  if (armored === undefined) {
    armored = await newKey()
    await writeAtomically(path, armored, 0o600)
  }
  const key = await readPrivateKey({ armoredKey: armored })
  return {
    publicKey: key.toPublic().write(),
    clearSign: (text, date) => clearSign(key, text, date),
  }
}

async function newKey(): Promise<string> {
  // RSA: gpgv of every living distribution knows it.
  const { privateKey } = await generateKey({
    type: 'rsa',
    rsaBits: 3072,
    userIDs: [{ name: 'appliance mirror' }],
    // Nobody encrypts to it, and finding primes is what takes the time.
    subkeys: [],
    date: BORN,
    format: 'armored',
  })
  return privateKey
}

async function clearSign(key: PrivateKey, text: string, date: Date): Promise<string> {
  const signed = await sign({
    message: await createCleartextMessage({ text }),
    signingKeys: key,
    date,
    config: { nonDeterministicSignaturesViaNotation: false },
  })
  // What is signed is the text with CRLF (RFC 9580 §7.2); written down are plain lines, as every archive has them.
  return signed.replaceAll('\r\n', '\n')
}
