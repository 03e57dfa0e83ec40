/** Something that must not be in a sealed disk. */
export interface Needle {
  /** What to call it in a message; never the secret itself. */
  name: string
  bytes: Buffer
  /** Whether a find really is one, judged by the bytes around it (Latin 1; `at` is where it begins). */
  confirm?: (around: string, at: number) => boolean
  /** May stand in a file that is just as its package shipped it, or that only serves tests. */
  tolerable: boolean
}

/** Bytes before and after a find that `confirm` gets to see. */
export const BEFORE = 64
export const AFTER = 256

/**
 * PEM private keys (RFC 7468): a header alone, as programs that read keys have it, is none; base64 has to follow.
 */
export const privateKeys: Needle = {
  name: 'a private key',
  bytes: Buffer.from('PRIVATE KEY-----'),
  confirm(around, at) {
    if (!/-----BEGIN [A-Z0-9 ]{0,40}$/.test(around.slice(Math.max(0, at - BEFORE), at))) return false
    return /^(?:\r?\n|\\n)\s*(?:[A-Za-z0-9+/]{40}|Proc-Type: )/.test(around.slice(at + 16))
  },
  tolerable: true,
}

/** The mirror's address as a URL; `http://mirror.example.com` is another's. */
export function mirrorAddress(url: string): Needle {
  return {
    name: `the mirror's address ${url}`,
    bytes: Buffer.from(url),
    confirm: (around, at) => !/^[\w.:-]/.test(around.slice(at + url.length)),
    tolerable: true,
  }
}

/** The base64 body of an OpenSSH public key line: authorized_keys may hold it with any comment. */
export function publicKey(line: string): Needle {
  const body = line.trim().split(/\s+/)[1] ?? line.trim()
  return { name: "the build's SSH key", bytes: Buffer.from(body), tolerable: false }
}

export function secretText(name: string, text: string): Needle {
  return { name, bytes: Buffer.from(text), tolerable: false }
}
