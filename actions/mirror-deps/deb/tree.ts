import { link, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { ApplianceError } from '../../lib/errors/error.ts'
import { sha256 } from '../../lib/files/digest.ts'
import type { LockedDebRepository } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import { run } from '../../lib/process/command.ts'
import type { MirrorKey } from '../mirror-key.ts'
import { architecturesOf } from './architectures.ts'

/**
 * A small repository of exactly the locked packages: one suite, `appliance`, one component, `main`, signed by the
 * mirror's own key. `apt-get update` in the guest reads hundreds of entries, not Debian's sixty thousand, and
 * what the lock lacks is "no candidate". Returns its index, for writeWholeRepository.
 *
 * @see https://wiki.debian.org/DebianRepository/Format
 */
export async function writeDebRepository(
  repository: LockedDebRepository,
  directory: string,
  store: string,
  key: MirrorKey,
  signal: AbortSignal,
): Promise<string[]> {
  await mkdir(join(directory, 'pool'), { recursive: true })
  for (const { path, sha256: digest } of repository.packages) {
    const to = join(directory, pathInTree(path))
    await mkdir(dirname(to), { recursive: true })
    await link(objectPath(store, digest), to)
  }
  const stanzas = await packagesIndex(repository, directory, signal)
  await writeSuite([repository], repository.name, stanzas, directory, key)
  return stanzas
}

/**
 * All repositories as one, beside them: some bootstrap programs (debootstrap) and users want one address. It has no
 * packages of its own, only indexes that name those of the others.
 *
 * @param written repository and its index as writeDebRepository returned it
 */
export async function writeWholeRepository(
  written: readonly (readonly [LockedDebRepository, readonly string[]])[],
  directory: string,
  key: MirrorKey,
): Promise<void> {
  if (written.length === 0) return
  const stanzas = written.flatMap(([{ name }, own]) =>
    own.map((stanza) => stanza.replace(/^Filename: /m, `Filename: ${name}/`)),
  )
  await writeSuite(
    written.map(([repository]) => repository),
    'appliance',
    stanzas,
    directory,
    key,
  )
}

/** Some upstreams have no pool; what we index is all in one. */
function pathInTree(path: string): string {
  return path.startsWith('pool/') ? path : `pool/${path}`
}

/** `dists/appliance/`: an index for each architecture, and the signed Release file. */
async function writeSuite(
  repositories: readonly LockedDebRepository[],
  label: string,
  stanzas: readonly string[],
  directory: string,
  key: MirrorKey,
): Promise<void> {
  const architectures = architecturesOf(repositories)
  const indexes: [string, Buffer][] = []
  for (const architecture of architectures) {
    const text = indexOf(stanzas, architecture)
    const folder = `main/binary-${architecture}`
    indexes.push([`${folder}/Packages`, Buffer.from(text)])
    indexes.push([`${folder}/Packages.gz`, gzipSync(text, { level: 9 })])
    await mkdir(join(directory, 'dists/appliance', folder), { recursive: true })
  }
  for (const [name, content] of indexes) await writeFile(join(directory, 'dists/appliance', name), content)
  const date = newest(repositories)
  const release = releaseFile(label, date, architectures, indexes)
  await writeFile(join(directory, 'dists/appliance/Release'), release)
  await writeFile(join(directory, 'dists/appliance/InRelease'), await key.clearSign(release, date))
}

/**
 * What an architecture may install: its own packages, and those for all. The last stanza has its empty line, too, as in
 * Debian's own indexes: debootstrap misses a package without one.
 */
function indexOf(stanzas: readonly string[], architecture: string): string {
  const own = stanzas.filter((stanza) =>
    [architecture, 'all'].includes(/^Architecture: (\S+)$/m.exec(stanza)?.[1] ?? ''),
  )
  return own
    .toSorted()
    .map((stanza) => `${stanza}\n\n`)
    .join('')
}

/**
 * An entry for each package in the pool, sorted: the order of a directory does not matter. The digests are the lock's,
 * which the store's files were held against: apt-ftparchive need not read every byte again.
 */
async function packagesIndex(
  { packages }: LockedDebRepository,
  directory: string,
  signal: AbortSignal,
): Promise<string[]> {
  const digests = new Map(packages.map(({ path, sha256 }) => [pathInTree(path), sha256]))
  const sums = ['MD5', 'SHA1', 'SHA256', 'SHA512']
  const options = sums.flatMap((sum) => ['-o', `APT::FTPArchive::${sum}=false`])
  const { stdout } = await run('apt-ftparchive', ['packages', ...options, 'pool'], {
    cwd: directory,
    signal,
    keep: 256 << 20,
  })
  const stanzas = stdout.split('\n\n').map((stanza) => stanza.trim())
  return stanzas
    .filter((stanza) => stanza !== '')
    .map((stanza) => {
      const [, path = ''] = /^Filename: (.*)$/m.exec(stanza) ?? []
      const digest = digests.get(path)
      if (!digest) throw new ApplianceError('internal', `the pool has ${path}, which the lock does not name`)
      return stanza.replace(/^Size: .*$/m, `$&\nSHA256: ${digest}`)
    })
    .sort()
}

/** With all that apt and debootstrap look for; `Acquire-By-Hash` is not needed, since nothing changes under a client. */
function releaseFile(
  label: string,
  date: Date,
  architectures: readonly string[],
  indexes: readonly [string, Buffer][],
): string {
  const sums = indexes.map(([name, content]) => ` ${sha256(content)} ${content.length} ${name}`).join('\n')
  return `Origin: appliance
Label: ${label}
Suite: appliance
Codename: appliance
Date: ${date.toUTCString().replace('GMT', 'UTC')}
Architectures: ${architectures.join(' ')}
Components: main
Description: exactly the packages of appliance.lock.json
SHA256:
${sums}
`
}

function newest(repositories: readonly LockedDebRepository[]): Date {
  return new Date(Math.max(...repositories.map((repository) => dateOf(repository).getTime())))
}

/** Upstream's own date: the only clock in what we write. */
function dateOf({ timestamp }: LockedDebRepository): Date {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp) ?? []
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}
