/**
 * The `.mf` of an OVA: one line a file, digests in lower-case hex.
 *
 * No space before `(` or `=`: with one, VMware's importers find no digest (DSP0243 1.1.0, section 5.1; DESIGN §8).
 */
export function manifest(files: readonly { name: string; sha256: string }[]): string {
  return files.map(({ name, sha256 }) => `SHA256(${name})= ${sha256}\n`).join('')
}
