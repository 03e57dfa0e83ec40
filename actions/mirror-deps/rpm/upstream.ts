import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ApplianceError, toApplianceError } from '../../lib/errors/error.ts'
import type { Evidence, LockedRpmRepository } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import type { Spec } from '../../lib/spec/spec.ts'
import { downloadText } from '../fetch/download.ts'
import { mostTelling, type Obtaining, obtain } from './obtain.ts'
import {
  type Mirrors,
  parseMetalink,
  parseMirrorlist,
  parseRepomd,
  type Repomd,
  withSlash,
} from './repomd.ts'

export type RpmEntry = Spec['mirror']['rpm'][number]

/** A repository as it was found: where, and its index, which lies in the store. */
export type FoundRepository = Omit<LockedRpmRepository, 'packages' | 'modules' | 'groups'>

/** The guest's architecture as RPM repositories call it. */
export const BASEARCH = 'x86_64'

const REPOMD = 'repodata/repomd.xml'

/** What the solver and the proof read; a `group_gz` is the same as `group`, packed. */
const kept = ['primary', 'filelists', 'group', 'group_gz', 'modules']

/** More than that help nobody, and make a lock long. */
const MIRRORS = 5

/**
 * Finds a repository (by its address, or one of those that its mirrorlist or Metalink names) and keeps its index
 * in the store, exactly as upstream publishes it: repomd.xml, its signature where there is one, the metadata it
 * vouches for, and the key. The signature is not checked here: dnf does it, when it reads this very index.
 */
export async function findRepository(entry: RpmEntry, options: Obtaining): Promise<FoundRepository> {
  const { name, mirrorlist, metalink, snapshot } = entry
  const source = `rpm ${name}`
  const mirrors = await mirrorsOf(entry, options.signal)
  const { baseurl, repomd } = await firstWith(mirrors, source, options)
  const bases = [baseurl, ...mirrors.addresses.filter((address) => address !== baseurl)]
  const evidence: Evidence[] = [{ path: REPOMD, ...repomd }]
  const signature = await signatureOf(baseurl, source, options)
  if (signature) evidence.push({ path: `${REPOMD}.asc`, ...signature })
  const index = await read(source, `${baseurl}${REPOMD}`, objectPath(options.store, repomd.sha256))
  for (const { href, checksum } of index.files.filter(({ type }) => kept.includes(type))) {
    const path = relativeTo(baseurl, href)
    const urls = bases.map((base) => addressOf(base, path))
    const title = `${path} of ${source}`
    evidence.push({ path, ...(await obtain({ source, title, urls, checksums: [checksum] }, options)) })
  }
  evidence.push({ path: keyPath(entry), ...(await keyOf(entry, options)) })
  return {
    name,
    baseurl,
    mirrors: bases.slice(1, MIRRORS),
    ...(mirrorlist ? { mirrorlist } : {}),
    ...(metalink ? { metalink } : {}),
    ...(snapshot ? { snapshot: filledIn(snapshot, entry) } : {}),
    timestamp: new Date(index.revised * 1000).toISOString().replace(/[-:]|\.\d+/g, ''),
    evidence,
  }
}

async function mirrorsOf(entry: RpmEntry, signal: AbortSignal): Promise<Mirrors> {
  const { name, baseurl, mirrorlist, metalink } = entry
  if (baseurl) return { addresses: [withSlash(filledIn(baseurl, entry))], repomd: [] }
  const [what, address] = mirrorlist ? ['mirrorlist', mirrorlist] : ['metalink', metalink!]
  const url = filledIn(address, entry)
  const text = await downloadText({ title: `the ${what} of rpm ${name}`, urls: [url] }, signal)
  let mirrors: Mirrors
  try {
    mirrors = mirrorlist ? parseMirrorlist(text) : parseMetalink(text)
  } catch (error) {
    throw unreadable(`rpm ${name}`, `the ${what} ${url}`, error)
  }
  if (mirrors.addresses.length > 0) return mirrors
  const said = text.trim().split('\n').at(-1)?.slice(0, 200)
  throw new ApplianceError('gone', `rpm ${name}: ${url} names no mirror${said ? `: ${said}` : ''}`, {
    hint: `Is the address right, and releasever, ${entry.releasever ?? 'not given'}, a version they (still) have?`,
  })
}

/** The first address that has a repomd.xml, and the right one where that is said. */
async function firstWith({ addresses, repomd }: Mirrors, source: string, options: Obtaining) {
  const failures: ApplianceError[] = []
  for (const baseurl of addresses) {
    const title = `${REPOMD} of ${source}`
    // With others at hand, one that does not answer is not waited for.
    const patience = addresses.length > 1 ? { tries: 1 } : {}
    const wanted = {
      source,
      title,
      urls: [`${baseurl}${REPOMD}`],
      checksums: repomd,
      anew: true,
      ...patience,
    }
    try {
      return { baseurl, repomd: await obtain(wanted, options) }
    } catch (error) {
      options.signal.throwIfAborted()
      failures.push(toApplianceError(error))
    }
  }
  const telling = mostTelling(failures)
  if (failures.length === 1) throw telling
  const others =
    failures.length === 2 ? 'nor has the other mirror it' : `nor have ${failures.length - 1} other mirrors it`
  throw new ApplianceError(telling.code, `${telling.message}; ${others}`, {
    hint: 'Try again later, or name an address by baseurl: instead of the list.',
    cause: telling,
  })
}

/** Many repositories have none. */
async function signatureOf(baseurl: string, source: string, options: Obtaining) {
  const url = `${baseurl}${REPOMD}.asc`
  try {
    const title = `${REPOMD}.asc of ${source}`
    return await obtain({ source, title, urls: [url], checksums: [], tries: 2 }, options)
  } catch (error) {
    // Stores of objects say 403 of what they do not have.
    if (error instanceof ApplianceError && (error.code === 'gone' || /HTTP 40[13]\b/.test(error.message)))
      return undefined
    throw error
  }
}

async function read(source: string, url: string, path: string): Promise<Repomd> {
  try {
    return parseRepomd(await readFile(path, 'utf8'))
  } catch (error) {
    throw unreadable(source, url, error)
  }
}

function unreadable(source: string, url: string, error: unknown): ApplianceError {
  const said = (error as Error).message.split('\n')[0]
  return new ApplianceError('unreachable', `${source}: ${url} cannot be read: ${said}`, {
    hint: 'Is it the address of a repository (the folder that has repodata/)? Something on the way may answer for it.',
    cause: error,
  })
}

/** The project's own file is what counts; a copy goes into the store, for the proof and the guest. */
function keyOf({ name, gpgkey }: RpmEntry, options: Obtaining) {
  const url = pathToFileURL(gpgkey).href
  const source = `rpm ${name}`
  const title = `the key ${basename(gpgkey)} of ${source}`
  return obtain({ source, title, urls: [url], checksums: [] }, options)
}

/** Where a repository's key lies in its evidence and in the tree. */
export function keyPath({ gpgkey }: Pick<RpmEntry, 'gpgkey'>): string {
  return `keys/${basename(gpgkey)}`
}

/** `$releasever`, `$basearch` and `$arch` in an address, also in braces (dnf.conf(5), "Variables"). */
export function filledIn(address: string, { releasever }: Pick<RpmEntry, 'releasever'>): string {
  const values: Record<string, string | undefined> = { releasever, basearch: BASEARCH, arch: BASEARCH }
  return address.replace(/\$(?:\{(\w+)\}|(\w+))/g, (all, braced?: string, plain?: string) => {
    return values[(braced ?? plain)!] ?? all
  })
}

/**
 * What lies under the base by its path, what lies elsewhere by its whole address.
 *
 * @throws Error when it would lead out of the repository
 */
export function relativeTo(base: string, href: string): string {
  const url = new URL(href, base).href
  const own = new URL(base).href
  if (!url.startsWith(own)) return url
  const parts = url.slice(own.length).split('/').map(decodeURIComponent)
  if (parts.some((part) => part === '' || part === '..' || part.includes('/')))
    throw new Error(`it names a file outside of itself: ${href}`)
  return parts.join('/')
}

/** Undoes {@link relativeTo}, for any base. */
export function addressOf(base: string, path: string): string {
  if (/^[a-z]+:\/\//.test(path)) return path
  return `${base}${path.split('/').map(encodeURIComponent).join('/')}`
}
