import { copyFile, mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, posix } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import { sha256File } from '../../lib/files/digest.ts'
import type { Artefact, LockedDebRepository } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import { download } from '../fetch/download.ts'
import { type AptSource, isFlat, listName, releaseFolder } from './apt.ts'

type Evidence = LockedDebRepository['evidence']

interface Keeping {
  store: string
  signal: AbortSignal
}

/**
 * Keeps a source's signed Release files, which apt has verified, the indexes they vouch for, exactly as upstream
 * publishes them, and the keys, in the store: the chain signature → index → package can be proved again years later.
 * apt itself keeps indexes unpacked, which is faster to solve with.
 */
export async function keepEvidence(source: AptSource, lists: string, keeping: Keeping) {
  const files: Evidence = [{ path: keyPath(source.signedBy), ...(await keep(source.signedBy, keeping)) }]
  let newest = 0
  for (const suite of source.suites) {
    const folder = releaseFolder(suite)
    const released = await releaseFiles(source, folder, lists)
    for (const name of released)
      files.push({
        path: posix.join(folder, name),
        ...(await keep(join(lists, listName(`${source.uri}${folder}${name}`)), keeping)),
      })
    const text = await readFile(join(lists, listName(`${source.uri}${folder}${released[0]}`)), 'utf8')
    newest = Math.max(newest, dateOf(text))
    for (const [path, promised] of indexesIn(text, indexFolders(source, suite, text))) {
      const one = { path: posix.join(folder, path), ...promised }
      const to = objectPath(keeping.store, promised.sha256)
      const urls = evidenceUrls(source.uri, one)
      if (!(await stat(to).catch(() => undefined)))
        await download({ title: `${one.path} of ${source.name}`, urls, ...promised }, to, keeping)
      files.push(one)
    }
  }
  const timestamp = new Date(newest).toISOString().replace(/[-:]|\.\d+/g, '')
  return { evidence: files, timestamp }
}

/** Where a keyring lies among the evidence. */
export function keyPath(signedBy: string): string {
  return `keys/${basename(signedBy)}`
}

export function isKey(path: string): boolean {
  return path.startsWith('keys/')
}

/**
 * Where an index (or a Release file) of that digest may be had: many repositories keep older generations of their
 * indexes for some days by digest (Debian repository format, `Acquire-By-Hash`).
 *
 * @param base with a slash at its end
 */
export function evidenceUrls(base: string, { path, sha256 }: Evidence[number]): string[] {
  const byHash = /\/Packages(\.\w+)?$/.test(path)
    ? [`${base}${path.replace(/[^/]+$/, '')}by-hash/SHA256/${sha256}`]
    : []
  return [...byHash, `${base}${path}`]
}

/** `InRelease`, or the older pair. */
async function releaseFiles({ uri, name }: AptSource, folder: string, lists: string): Promise<string[]> {
  for (const files of [['InRelease'], ['Release', 'Release.gpg']]) {
    const found = await Promise.all(
      files.map((file) => stat(join(lists, listName(`${uri}${folder}${file}`))).catch(() => undefined)),
    )
    if (found.every((status) => status !== undefined)) return files
  }
  throw new ApplianceError('internal', `apt kept no Release file of ${folder} of ${name} in ${lists}`)
}

/**
 * The folders (relative to the Release file) whose package indexes a source is about; a flat repository has one index
 * beside it.
 *
 * @see https://wiki.debian.org/DebianRepository/Format, "Architectures" and "No-Support-for-Architecture-all"
 */
export function indexFolders(
  { components, architectures = ['amd64'] }: Pick<AptSource, 'components' | 'architectures'>,
  suite: string,
  release: string,
): string[] {
  if (isFlat(suite)) return ['']
  // Where this is said, packages for all architectures are in the index of each one.
  const separate = !/^No-Support-for-Architecture-all:.*\bPackages\b/m.test(release)
  const all = separate && /^Architectures:.*\ball\b/m.test(release) ? ['all'] : []
  return components.flatMap((component) =>
    [...architectures, ...all].map((architecture) => `${component}/binary-${architecture}/`),
  )
}

/** The digests and sizes that a Release file vouches for (section `SHA256:`), by path. */
export function promisesIn(release: string): Map<string, Artefact> {
  const section = /^SHA256:[ \t]*\n((?: .*(?:\n|$))+)/m.exec(release)?.[1] ?? ''
  const promised = new Map<string, Artefact>()
  for (const line of section.split('\n')) {
    const [sha256, size, path] = line.trim().split(/\s+/)
    if (path) promised.set(posix.normalize(path), { sha256: sha256!, size: Number(size) })
  }
  return promised
}

/** The package indexes in these folders that a Release file vouches for, each packed once. */
export function indexesIn(release: string, folders: readonly string[]): [string, Artefact][] {
  const promised = promisesIn(release)
  return folders.flatMap((folder) => {
    for (const packed of ['.xz', '.gz', '']) {
      const path = `${folder}Packages${packed}`
      const found = promised.get(path)
      if (found) return [[path, found] as [string, Artefact]]
    }
    return []
  })
}

async function keep(from: string, { store }: Keeping): Promise<Artefact> {
  const sha256 = await sha256File(from)
  const to = objectPath(store, sha256)
  await mkdir(dirname(to), { recursive: true })
  const partial = `${to}.partial`
  try {
    await copyFile(from, partial)
    await rename(partial, to)
  } finally {
    await rm(partial, { force: true })
  }
  return { sha256, size: (await stat(to)).size }
}

/** The `Date:` of a Release file (Debian repository format), milliseconds since 1970. */
function dateOf(release: string): number {
  return Date.parse(/^Date: (.+)$/m.exec(release)?.[1] ?? '') || 0
}
