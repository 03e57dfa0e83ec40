import { XMLParser } from 'fast-xml-parser'

/** A digest as repositories state one: `sha256`, `sha512`, of old ones `sha` or `sha1`. */
export interface Checksum {
  type: string
  hex: string
}

/** A file that repomd.xml vouches for. */
export interface IndexFile {
  /** `primary`, `filelists`, `group`, `modules` … */
  type: string
  /** Relative to the repository's address, as a rule. */
  href: string
  checksum: Checksum
  /** Bytes. */
  size: number | undefined
}

export interface Repomd {
  /** Upstream's own date, seconds since 1970. */
  revised: number
  files: IndexFile[]
}

/** All values stay text; what may be there several times is a list. */
const xml = (lists: readonly string[]) =>
  new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    removeNSPrefix: true,
    parseTagValue: false,
    isArray: (name) => lists.includes(name),
  })

type Element = { readonly [name: string]: Element | readonly Element[] | string | undefined }

/**
 * Reads a repomd.xml: what it vouches for and when it was made. Its revision is a time where createrepo made it;
 * where somebody wrote a word there, the newest of its files counts.
 *
 * @throws Error when it is not one
 * @see https://github.com/rpm-software-management/createrepo_c (its format has no other specification)
 */
export function parseRepomd(text: string): Repomd {
  const root = at(parse(text, ['data']), 'repomd')
  const data = many(root, 'data')
  const files = data.flatMap((one) => {
    const checksum = checksumIn(one, 'checksum')
    const href = word(at(one, 'location'), '@href')
    const type = word(one, '@type')
    if (!checksum || !href || !type) return []
    const size = Number(word(one, 'size'))
    return [{ type, href, checksum, size: Number.isSafeInteger(size) && size > 0 ? size : undefined }]
  })
  if (!files.some(({ type }) => type === 'primary')) throw new Error('it names no primary index')
  const revision = word(root, 'revision') ?? ''
  const times = data.map((one) => Math.floor(Number(word(one, 'timestamp')) || 0))
  return { revised: /^\d{9,10}$/.test(revision) ? Number(revision) : Math.max(...times), files }
}

/** Addresses of one repository, the preferred first, each with a slash at its end. */
export interface Mirrors {
  addresses: string[]
  /** What their repomd.xml must be, where that is said: any of these. */
  repomd: Checksum[]
}

/**
 * Reads a Metalink 3 document as mirror managers give it out for a repomd.xml: addresses by preference, and the
 * digests of the current one and of those shortly before.
 *
 * @throws Error when it is not one
 * @see http://www.metalinker.org/Metalink_3.0_Spec.pdf, sections 4.1 and 4.2; mm0:alternates are Fedora's
 */
export function parseMetalink(text: string): Mirrors {
  const files = at(at(parse(text, ['file', 'url', 'hash', 'alternate']), 'metalink'), 'files')
  const file = many(files, 'file').find((one) => word(one, '@name') === 'repomd.xml')
  if (!file) throw new Error('it does not tell where repomd.xml is')
  const urls = many(at(file, 'resources'), 'url')
    .map((url) => ({ address: word(url, '#text') ?? '', preference: Number(word(url, '@preference') ?? 0) }))
    .filter(({ address }) => /^https?:\/\/.*\/repodata\/repomd\.xml$/.test(address))
    .sort((a, b) => b.preference - a.preference)
    .map(({ address }) => address.replace(/repodata\/repomd\.xml$/, ''))
  const vouchers = [file, ...many(at(file, 'alternates'), 'alternate')]
  const repomd = vouchers.flatMap((one) => {
    const hashes = many(at(one, 'verification'), 'hash').map((hash) => ({
      type: (word(hash, '@type') ?? '').replace('-', ''),
      hex: word(hash, '#text') ?? '',
    }))
    const strongest = ['sha512', 'sha256'].map((type) => hashes.find((hash) => hash.type === type))
    return strongest.filter((hash) => hash !== undefined).slice(0, 1)
  })
  if (repomd.length === 0) throw new Error('it has no SHA-256 of repomd.xml')
  return { addresses: httpsFirst(urls), repomd }
}

/** Reads a mirrorlist: an address a line; the rest is comments, or an answer such as `Bad arch`. */
export function parseMirrorlist(text: string): Mirrors {
  const lines = text.split('\n').map((line) => line.trim())
  const addresses = lines.filter((line) => /^https?:\/\/\S+$/.test(line) && URL.canParse(line))
  return { addresses: addresses.map(withSlash), repomd: [] }
}

/** Whatever a list prefers: who listens on the way can then neither read nor stall at a certain file. */
function httpsFirst(addresses: readonly string[]): string[] {
  const safe = (address: string) => (address.startsWith('https:') ? 0 : 1)
  return addresses.toSorted((a, b) => safe(a) - safe(b))
}

export function withSlash(address: string): string {
  return address.endsWith('/') ? address : `${address}/`
}

function parse(text: string, lists: readonly string[]): Element {
  return xml(lists).parse(text, true) as Element
}

function at(element: Element | undefined, name: string): Element | undefined {
  const found = element?.[name]
  return typeof found === 'object' && !Array.isArray(found) ? (found as Element) : undefined
}

function many(element: Element | undefined, name: string): readonly Element[] {
  const found = element?.[name]
  return Array.isArray(found)
    ? (found as readonly (Element | string)[]).map((one) =>
        typeof one === 'string' ? { '#text': one } : one,
      )
    : []
}

/** The text of an element or attribute. */
function word(element: Element | undefined, name: string): string | undefined {
  const found = element?.[name]
  if (typeof found === 'string') return found.trim()
  const inner = at(element, name)?.['#text']
  return typeof inner === 'string' ? inner.trim() : undefined
}

function checksumIn(element: Element, name: string): Checksum | undefined {
  const type = word(at(element, name), '@type')
  const hex = word(element, name)
  if (!type || !hex) return undefined
  return { type: type.toLowerCase() === 'sha' ? 'sha1' : type.toLowerCase(), hex: hex.toLowerCase() }
}
