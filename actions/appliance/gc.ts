import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { refuse } from '../lib/errors/fault.ts'
import { asRoot } from '../lib/process/as-root.ts'
import { GithubApi } from '../lib/runner/github-api.ts'
import { flag } from '../lib/stage/input.ts'
import { readRecord } from '../lib/stage/record.ts'
import { type Project, stageNames } from '../lib/stage/stage.ts'
import { occupy } from '../lib/stage/workplace.ts'
import { toolsKey } from '../lib/tools/root.ts'
import { formatSize } from '../lib/units/size.ts'
import { sharedStore } from '../mirror-deps/paths.ts'
import type { Door } from './inside.ts'
import { cacheKeys, numberOf } from './mirror-cache.ts'
import { projectOf } from './project.ts'
import { unneededIn } from './restored.ts'

export const gcInputs = {
  yes: flag('Take it away; without, only say what may go'),
  caches: flag(
    'Also this appliance’s mirrors of other locks in the repository’s Actions cache (GITHUB_REPOSITORY and GITHUB_TOKEN, actions: write)',
  ),
}

/** Something that nobody needs any more. */
interface Unneeded {
  what: string
  path: string
  bytes: number
  remove(): Promise<void>
}

/**
 * `appliance gc`: what may go of `build/` and of the downloads that projects share, with sizes. Whatever it takes away, a
 * build makes or fetches again; what the lock, and the results that are there, name stays.
 */
export async function gc(values: Record<string, unknown>, { log, signal }: Door): Promise<void> {
  const project = await projectOf(values)
  await using _ = await occupy(project.buildDirectory)
  const found = [
    ...(await leftovers(project)),
    ...(await oldTools(project)),
    ...(await oldRoots(project)),
    ...(await oldArtefacts(project)),
    ...(await oldDownloads(sharedStore(process.env))),
    ...(values.caches === true ? await oldCaches(project) : []),
  ]
  if (found.length === 0) return log.info('nothing may go')
  for (const { what, path, bytes } of found) log.info(`${formatSize(bytes).padStart(9)}  ${what}: ${path}`)
  const total = formatSize(found.reduce((sum, { bytes }) => sum + bytes, 0))
  if (values.yes !== true) return log.info(`${total} may go: appliance gc --yes takes it away`)
  for (const one of found) {
    signal.throwIfAborted()
    await one.remove()
  }
  log.info(`${total} are free`)
}

/** What killed builds left, and files that no stage's record names: disks and OVAs of earlier versions. */
async function leftovers({ buildDirectory }: Project): Promise<Unneeded[]> {
  const found: Unneeded[] = []
  for (const name of ['.work', 'last-release'])
    await add('left by a build that was ended', join(buildDirectory, name))
  for (const stage of stageNames.filter((name) => name !== 'mirror-deps')) {
    const folder = join(buildDirectory, stage)
    const record = await readRecord(folder)
    // Without a record nothing in there is of use to anyone.
    if (!record) {
      await add(`${stage}, which did not come to its end`, folder)
      continue
    }
    if (stage !== 'ova-pack' && stage !== 'chef-provision') continue
    const kept = new Set(
      Object.values(record.outputs).flatMap((output) => ('path' in output ? [output.path] : [])),
    )
    const listed = 'files' in record.outputs ? (record.outputs.files as { value: string }).value : '[]'
    for (const { name } of JSON.parse(listed) as { name: string }[]) kept.add(name)
    for (const name of await readdir(folder))
      if (/\.(ova|ovf|vmdk|qcow2|vhdx?|img|raw)$/.test(name) && !kept.has(name))
        await add(`of an earlier ${stage}`, join(folder, name))
  }
  return found

  async function add(what: string, path: string): Promise<void> {
    const bytes = await sizeOf(path)
    if (bytes) found.push({ what, path, bytes, remove: () => rm(path, { recursive: true, force: true }) })
  }
}

/** Tools roots of other locks, and gems for Capistrano that have not been used for long. */
async function oldTools({ buildDirectory, lock }: Project): Promise<Unneeded[]> {
  const folder = join(buildDirectory, 'tools')
  const current = lock && toolsKey(lock).slice(0, 16)
  const found: Unneeded[] = []
  for (const name of await readdir(folder).catch(() => [])) {
    if (name === current || current === undefined) continue
    const path = join(folder, name)
    if (/^gems-[0-9a-f]+$/.test(name) && !(await isOld(path))) continue
    const bytes = (await sizeOf(path)) ?? 0
    found.push({ what: 'tools of another lock', path, bytes, remove: () => removedAsRoot(path) })
  }
  return found
}

/** What nobody has used for so long goes; milliseconds. */
const LONG = 30 * 24 * 3_600_000

/** Roots in which a source is resolved or indexed, made again when that is done the next time. */
async function oldRoots({ buildDirectory }: Project): Promise<Unneeded[]> {
  const found: Unneeded[] = []
  for (const kind of ['ruby', 'programs']) {
    const folder = join(buildDirectory, 'mirror-deps', kind)
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name)
      const left = name.endsWith('.partial')
      if (!left && !(await isOld(path))) continue
      const what = left ? 'left by a build that was ended' : 'a root that nothing was resolved in for 30 days'
      found.push({ what, path, bytes: (await sizeOf(path)) ?? 0, remove: () => removedAsRoot(path) })
    }
  }
  return found
}

/** What is used has its time set then. */
async function isOld(path: string): Promise<boolean> {
  return Date.now() - (await lstat(path)).mtimeMs >= LONG
}

/** What a user namespace made holds files of other users. */
async function removedAsRoot(path: string): Promise<void> {
  await asRoot('rm', ['-rf', '--one-file-system', path], {})
}

/**
 * Downloads that this user's projects share, by hard links, and none of them has had for long: the time at which a
 * file lost its last other name is that of its last change (inode(7), ctime).
 */
export async function oldDownloads(store: string | undefined, now = Date.now()): Promise<Unneeded[]> {
  const objects = join(store ?? '', 'sha256')
  const paths: string[] = []
  let bytes = 0
  for (const folder of store === undefined ? [] : await readdir(objects).catch(() => []))
    for (const name of await readdir(join(objects, folder)).catch(() => [])) {
      const path = join(objects, folder, name)
      const status = await lstat(path).catch(() => undefined)
      if (!status?.isFile() || status.nlink > 1 || now - status.ctimeMs < LONG) continue
      paths.push(path)
      bytes += status.blocks * 512
    }
  if (paths.length === 0) return []
  const remove = async () => {
    for (const path of paths) await rm(path, { force: true })
  }
  const what = `${paths.length} downloads that no project of yours has had for 30 days`
  return [{ what, path: store!, bytes, remove }]
}

/** What the mirror's store has beyond the lock, as one entry. */
async function oldArtefacts({ buildDirectory, lock }: Project): Promise<Unneeded[]> {
  if (!lock) return []
  const store = join(buildDirectory, 'mirror-deps', 'store')
  const paths = await unneededIn(store, lock)
  if (paths.length === 0) return []
  const bytes = (await Promise.all(paths.map((path) => sizeOf(path)))).reduce<number>(
    (sum, size) => sum + (size ?? 0),
    0,
  )
  const remove = async () => {
    for (const path of paths) await rm(path, { recursive: true, force: true })
  }
  return [{ what: `${paths.length} artefacts that the lock does not name`, path: store, bytes, remove }]
}

interface CacheEntry {
  id: number
  key: string
  /** Of which branch it is, e.g. `refs/heads/main`. */
  ref: string
  /** The digest of the folder's path and of the compressor. */
  version: string
  size_in_bytes: number
}

/**
 * The quota of a repository's cache is 10 GB: this appliance's mirrors of other locks, and what newer entries of this
 * lock have taken the place of, only fill it. Other appliances' entries are theirs.
 */
async function oldCaches(project: Project): Promise<Unneeded[]> {
  const { GITHUB_REPOSITORY: repository, GITHUB_TOKEN, GH_TOKEN } = process.env
  const token = GITHUB_TOKEN || GH_TOKEN
  refuse([
    ...(repository
      ? []
      : [{ message: '--caches: GITHUB_REPOSITORY is not set: OWNER/NAME of whose cache it is' }]),
    ...(token
      ? []
      : [{ message: '--caches: GITHUB_TOKEN is not set: a token that may write actions there' }]),
  ])
  const api = new GithubApi(token)
  const { own, whole } = cacheKeys(project)
  const entries = await cacheEntries(api, own)
  const needed = new Map<string, CacheEntry>()
  for (const entry of entries) {
    const number = numberOf(entry.key, whole)
    // The same key is of each branch, and of each folder and compressor, its own (version).
    const place = `${entry.ref} ${entry.version}`
    if (number !== undefined && number > (numberOf(needed.get(place)?.key, whole) ?? 0))
      needed.set(place, entry)
  }
  const kept = new Set(needed.values())
  return entries
    .filter((entry) => !kept.has(entry))
    .map(({ id, key, ref, size_in_bytes: bytes }) => ({
      what: `cache entry of ${ref}`,
      path: key,
      bytes,
      remove: async () => void (await api.send('DELETE', `/actions/caches/${id}`)),
    }))
}

/** @see https://docs.github.com/rest/actions/cache */
async function cacheEntries(api: GithubApi, beginning: string): Promise<CacheEntry[]> {
  const entries: CacheEntry[] = []
  for (let page = 1; ; page += 1) {
    const query = `per_page=100&page=${page}&sort=created_at&key=${encodeURIComponent(beginning)}`
    const listed = await api.get<{ actions_caches: CacheEntry[] }>(`/actions/caches?${query}`)
    const some = listed?.actions_caches ?? []
    // Should a server take the key for a whole one, or for nothing.
    entries.push(...some.filter(({ key }) => key.startsWith(beginning)))
    if (some.length < 100) return entries
  }
}

/** Bytes on the disk, whole folders summed up; undefined when there is nothing. Files with several names count once. */
async function sizeOf(path: string, seen = new Set<number>()): Promise<number | undefined> {
  const status = await lstat(path).catch(() => undefined)
  if (!status) return undefined
  if (seen.has(status.ino)) return 0
  seen.add(status.ino)
  if (!status.isDirectory()) return status.blocks * 512
  let sum = 0
  for (const name of await readdir(path).catch(() => [])) sum += (await sizeOf(join(path, name), seen)) ?? 0
  return sum
}
