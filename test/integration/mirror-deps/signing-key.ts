import {
  createCleartextMessage,
  createMessage,
  generateKey,
  type PrivateKey,
  reformatKey,
  sign,
} from 'openpgp'
import type { MirrorKey } from '../../../actions/mirror-deps/mirror-key.ts'

/** A key for tests, as `published` gives it away. */
export interface SigningKey extends MirrorKey {
  /** The last 16 hex digits of its fingerprint. */
  id: string
  /** A signature beside the text it is of. */
  detached(text: string, date: Date): Promise<string>
  /** Its public half as one that ends after so many days. */
  expiring(days: number): Promise<Uint8Array>
}

/** Born on 2020-01-01; signs on whatever day it is told. */
export async function signingKey(): Promise<SigningKey> {
  const born = new Date('2020-01-01T00:00:00Z')
  const userIDs = [{ name: 'tests' }]
  const { privateKey } = await generateKey({
    type: 'rsa',
    rsaBits: 2048,
    userIDs,
    date: born,
    format: 'object',
  })
  return {
    id: privateKey.getKeyID().toHex().toUpperCase(),
    publicKey: privateKey.toPublic().write(),
    clearSign: (text, date) => clearSign(privateKey, text, date),
    detached: async (text, date) =>
      await sign({ message: await createMessage({ text }), signingKeys: privateKey, date, detached: true }),
    async expiring(days) {
      const short = await reformatKey({
        privateKey,
        userIDs,
        date: born,
        keyExpirationTime: days * 86_400,
        format: 'object',
      })
      return short.privateKey.toPublic().write()
    },
  }
}

async function clearSign(key: PrivateKey, text: string, date: Date): Promise<string> {
  const message = await createCleartextMessage({ text })
  return (await sign({ message, signingKeys: key, date })).replaceAll('\r\n', '\n')
}
