import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { sha256File } from '../lib/files/digest.ts'
import { GithubApi } from '../lib/runner/github-api.ts'
import { type Asset, type Release, Releases } from '../lib/runner/releases.ts'
import type { Project } from '../lib/stage/stage.ts'
import type { Door } from './inside.ts'

/** What the release workflow calls the mirror's archive. */
export const ARCHIVE = 'mirror.tar.zst'

/**
 * The mirror's archive that the repository's last release carries, downloaded and joined: a source beside upstream,
 * and no more trusted. Without one, or when it cannot be had, that is said and the build goes on.
 *
 * @returns the file; it may be deleted after the mirror's stage
 */
export async function lastReleaseArchive(
  { buildDirectory }: Pick<Project, 'buildDirectory'>,
  token: string | undefined,
  { log, signal }: Door,
): Promise<string | undefined> {
  const folder = join(buildDirectory, 'last-release')
  await rm(folder, { recursive: true, force: true })
  try {
    const releases = new Releases(new GithubApi(token, { signal }), log)
    const release = await releases.latest()
    const assets = release ? archiveAssets(release) : []
    if (!release || assets.length === 0) {
      log.info(
        release ? `the last release, ${release.tag_name}, has no ${ARCHIVE}` : 'there is no release yet',
      )
      return undefined
    }
    await mkdir(folder, { recursive: true })
    const whole = join(folder, ARCHIVE)
    for (const asset of assets) {
      signal.throwIfAborted()
      const part = join(folder, 'part')
      await releases.fetch(asset, part)
      await pipeline(createReadStream(part), createWriteStream(whole, { flags: 'a' }))
      await rm(part)
    }
    await checkSum(release, releases, folder, whole)
    return whole
  } catch (error) {
    if (signal.aborted) throw error
    log.warn(
      `the last release's archive is not used: ${error instanceof Error ? error.message : String(error)}`,
    )
    await rm(folder, { recursive: true, force: true })
    return undefined
  }
}

/** The archive, or its parts in order. */
function archiveAssets({ assets }: Release): Asset[] {
  const whole = assets.filter(({ name }) => name === ARCHIVE)
  const number = ({ name }: Asset) => Number(/\.part(\d+)$/.exec(name)?.[1] ?? Number.NaN)
  const parts = assets.filter(
    (asset) => asset.name.startsWith(`${ARCHIVE}.part`) && !Number.isNaN(number(asset)),
  )
  return whole.length > 0 ? whole : parts.sort((a, b) => number(a) - number(b))
}

async function checkSum(release: Release, releases: Releases, folder: string, whole: string): Promise<void> {
  const asset = release.assets.find(({ name }) => name === 'SHA256SUMS.release')
  if (!asset) return
  const file = join(folder, 'SHA256SUMS.release')
  await releases.fetch(asset, file)
  const line = (await readFile(file, 'utf8')).split('\n').find((one) => one.endsWith(`  ${ARCHIVE}`))
  if (line && line.slice(0, 64) !== (await sha256File(whole)))
    throw new Error(`${ARCHIVE} is not what its SHA256SUMS.release says`)
}
