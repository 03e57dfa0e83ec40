import { open } from 'node:fs/promises'
import { basename } from 'node:path'

/** What a signature's address says that it signs. */
export type Signed =
  /** The file itself. */
  | { what: 'file' }
  /** A list of digests at an address of its own. */
  | { what: 'list'; url: string }
  /** A list of digests with the signature around it (RFC 9580 §7, "Cleartext Signature Framework"). */
  | { what: 'itself' }

const suffix = /\.(asc|sig|sign|gpg)$/i

/**
 * What a detached signature is of: `SHA256SUMS.sign` of the list beside it, whatever else of the file. A signature
 * whose text begins as a clearsigned message holds the list itself.
 *
 * @param beginning of the signature
 */
export function signed(signature: string, url: string, beginning: string): Signed {
  if (/^\s*-----BEGIN PGP SIGNED MESSAGE-----/.test(beginning)) return { what: 'itself' }
  const address = new URL(signature)
  const name = basename(address.pathname).replace(suffix, '')
  if (name === basename(new URL(url).pathname) || !/sums?\b|checksum|digest|hashes|^sha\d+/i.test(name))
    return { what: 'file' }
  address.pathname = address.pathname.replace(suffix, '')
  return { what: 'list', url: address.href }
}

/** The same of a signature that lies here. */
export async function signedBy(signature: string, url: string, path: string): Promise<Signed> {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0)
  return signed(signature, url, buffer.subarray(0, bytesRead).toString('latin1'))
}
