/** Texts that must never be shown, wherever they turn up. */
export interface Secrets {
  add(secret: string): void
  /** The text with every secret in it replaced by `***`. */
  hide(text: string): string
}

/** Each line of a secret of several lines (a key) counts on its own: that is how it would be shown. */
export function secrets(): Secrets {
  let known: string[] = []
  return {
    add(secret) {
      // A longer secret goes before a shorter one that it contains.
      const lines = secret.split(/\r?\n/).filter((line) => line.trim() !== '')
      known = [...new Set([...known, ...lines])].sort((a, b) => b.length - a.length)
    },
    hide: (text) => known.reduce((shown, secret) => shown.replaceAll(secret, '***'), text),
  }
}
