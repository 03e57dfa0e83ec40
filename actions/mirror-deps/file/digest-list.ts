/** Digests that a list promises for one file. */
export interface Promised {
  sha256?: string
  sha512?: string
}

/** `HEX  NAME` or `HEX *NAME`, as sha256sum(1) writes it. */
const plain = /^\\?([0-9a-f]{64}|[0-9a-f]{128})\s+[* ]?(\S.*)$/i
/** `SHA256 (NAME) = HEX`, as `sha256sum --tag` and the BSDs write it. */
const tagged = /^(SHA256|SHA512) \((.+)\) = ([0-9a-f]+)$/i

/**
 * What a list of digests says of a file. Where it names several of that name in different folders, the one whose
 * path has most in common with the address counts.
 *
 * @returns undefined when it names no such file
 */
export function promisedIn(list: string, address: string): Promised | undefined {
  const parts = partsOf(decoded(new URL(address).pathname))
  const named = list.split(/\r?\n/).flatMap((line) => entryOf(line.trim()))
  const scored = named
    .map((entry) => ({ ...entry, common: inCommon(partsOf(entry.name), parts) }))
    .filter(({ common }) => common > 0)
  const most = Math.max(...scored.map(({ common }) => common))
  const promised: Promised = {}
  for (const { digest, common } of scored)
    if (common === most) promised[digest.length === 64 ? 'sha256' : 'sha512'] ??= digest.toLowerCase()
  return scored.length > 0 ? promised : undefined
}

function entryOf(line: string): { name: string; digest: string }[] {
  const [, digest, name] = plain.exec(line) ?? []
  if (name !== undefined) return [{ name, digest: digest! }]
  const [, kind, file, hex] = tagged.exec(line) ?? []
  const right = hex?.length === (kind?.toUpperCase() === 'SHA256' ? 64 : 128)
  return file !== undefined && right ? [{ name: file, digest: hex! }] : []
}

/** The folders and the name of a path, the name first. */
function partsOf(path: string): string[] {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .reverse()
}

function inCommon(one: readonly string[], other: readonly string[]): number {
  const differ = one.findIndex((part, index) => part !== other[index])
  return differ === -1 ? one.length : differ
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
