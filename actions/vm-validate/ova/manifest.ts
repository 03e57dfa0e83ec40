/** One line of a manifest: a file's name and its digest in lower-case hex. */
export interface ManifestEntry {
  algorithm: 'sha1' | 'sha256' | 'sha512'
  name: string
  digest: string
}

/**
 * Reads an OVF manifest, `SHA256(name)= hex` a line (DSP0243 5.1).
 *
 * @returns the entries, and every line that is none
 */
export function parseManifest(text: string): { entries: ManifestEntry[]; strange: string[] } {
  const entries: ManifestEntry[] = []
  const strange: string[] = []
  for (const line of text.split(/\r?\n/)) {
    if (line === '') continue
    const match = /^(SHA1|SHA256|SHA512)\((.+)\)= ([0-9a-fA-F]+)$/.exec(line)
    if (match)
      entries.push({
        algorithm: match[1]!.toLowerCase() as ManifestEntry['algorithm'],
        name: match[2]!,
        digest: match[3]!.toLowerCase(),
      })
    else strange.push(line)
  }
  return { entries, strange }
}
