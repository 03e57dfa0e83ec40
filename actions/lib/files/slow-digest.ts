import { scryptSync } from 'node:crypto'

/** OWASP's least for scrypt: a tenth of a second or two, and 32 MiB, a guess. */
const cost = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 << 20 }

/**
 * What follows from a secret and may be known to everybody: a guess at the secret costs more than at its hash in
 * /etc/shadow (`$6$`, 5000 rounds). The same for the same secret and purpose.
 *
 * @param purpose what it serves, and whose it is: two purposes have nothing in common
 * @param bytes of it
 * @see RFC 7914, scrypt
 */
export function slowDigest(purpose: string, secret: string, bytes = 32): Buffer {
  return scryptSync(secret, `appliance ${purpose}`, bytes, cost)
}
