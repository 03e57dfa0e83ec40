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

/** A token by its beginning and form; examples in manuals say that they are some. */
function token(name: string, begin: string, whole: RegExp): Needle {
  return {
    name,
    bytes: Buffer.from(begin),
    confirm(around, at) {
      if (/[A-Za-z0-9_]/.test(around[at - 1] ?? '')) return false
      const [text] = whole.exec(around.slice(at)) ?? []
      return (
        text !== undefined &&
        !/EXAMPLE|xxxx|XXXX|0000|1234567/.test(text) &&
        differs(text.slice(begin.length))
      )
    },
    tolerable: true,
  }
}

/** Placeholders repeat themselves: AAAA…, abcabc…. */
function differs(text: string): boolean {
  return new Set(text).size >= Math.min(10, text.length / 2)
}

/** What opens something elsewhere, by the forms that its makers gave it so that it can be found. */
export const tokens: readonly Needle[] = [
  token('an AWS access key', 'AKIA', /^AKIA[A-Z2-7]{16}(?![A-Za-z0-9])/),
  token('a GitHub token', 'ghp_', /^ghp_[A-Za-z0-9]{36}/),
  token('a GitHub token', 'ghs_', /^ghs_[A-Za-z0-9]{36}/),
  token('a GitHub token', 'github_pat_', /^github_pat_[A-Za-z0-9_]{60}/),
  token('a GitLab token', 'glpat-', /^glpat-[A-Za-z0-9_-]{20}/),
  token('a Slack token', 'xoxb-', /^xoxb-\d{9,}-[A-Za-z0-9-]{20}/),
  token('a Stripe key', 'sk_live_', /^sk_live_[A-Za-z0-9]{24}/),
  token('an npm token', 'npm_', /^npm_[A-Za-z0-9]{36}/),
  token('a Google API key', 'AIza', /^AIza[A-Za-z0-9_-]{35}/),
  token('a Docker Hub token', 'dckr_pat_', /^dckr_pat_[A-Za-z0-9_-]{27}/),
  token('a Vault token', 'hvs.', /^hvs\.[A-Za-z0-9_-]{24}/),
  token('a RubyGems key', 'rubygems_', /^rubygems_[0-9a-f]{48}/),
  token('an age secret key', 'AGE-SECRET-KEY-1', /^AGE-SECRET-KEY-1[A-Z0-9]{58}/),
]

/** The other forms of private keys, which PEM's words do not find. */
export const otherKeys: readonly Needle[] = [
  {
    name: 'a PGP private key',
    bytes: Buffer.from('-----BEGIN PGP PRIVATE KEY BLOCK-----'),
    confirm: (around, at) =>
      /^[^\n]*\r?\n(?:[A-Za-z]+: .*\r?\n)*\r?\n?[A-Za-z0-9+/]{40}/.test(around.slice(at)),
    tolerable: true,
  },
  {
    name: 'a PuTTY private key',
    bytes: Buffer.from('PuTTY-User-Key-File-'),
    confirm: (around, at) => /^PuTTY-User-Key-File-[23]: ssh-\S+\r?\nEncryption: /.test(around.slice(at)),
    tolerable: true,
  },
]

/** The mirror's address as a URL; `http://mirror.example.com` is another's. */
export function mirrorAddress(url: string): Needle {
  return {
    name: `the mirror's address ${url}`,
    bytes: Buffer.from(url),
    confirm: (around, at) => !/^[\w.:-]/.test(around.slice(at + url.length)),
    tolerable: true,
  }
}

/** What is looked for on every disk. */
export function usualNeedles(mirrorUrls: readonly string[]): Needle[] {
  return [privateKeys, ...otherKeys, ...tokens, ...mirrorUrls.map(mirrorAddress)]
}

/** The base64 body of an OpenSSH public key line: authorized_keys may hold it with any comment. */
export function publicKey(line: string): Needle {
  const body = line.trim().split(/\s+/)[1] ?? line.trim()
  return { name: "the build's SSH key", bytes: Buffer.from(body), tolerable: false }
}

export function secretText(name: string, text: string): Needle {
  return { name, bytes: Buffer.from(text), tolerable: false }
}
