import { link, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { sha256 } from '../../lib/files/digest.ts'
import type { LockedDebRepository } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import { run } from '../../lib/process/command.ts'
import type { MirrorKey } from '../mirror-key.ts'

/**
 * A small repository of exactly the locked packages: one suite, `appliance`, one component, `main`, signed by the
 * mirror's own key. `apt-get update` in the guest reads hundreds of entries, not Debian's sixty thousand, and
 * what the lock lacks is "no candidate".
 *
 * @see https://wiki.debian.org/DebianRepository/Format
 */
export async function writeDebRepository(
  repository: LockedDebRepository,
  directory: string,
  store: string,
  key: MirrorKey,
  signal: AbortSignal,
): Promise<void> {
  for (const { path, sha256: digest } of repository.packages) {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    await link(objectPath(store, digest), join(directory, path))
  }
  await mkdir(join(directory, 'pool'), { recursive: true })
  const packages = await packagesIndex(directory, signal)
  const folder = join(directory, 'dists/appliance/main/binary-amd64')
  await mkdir(folder, { recursive: true })
  const indexes: [string, Buffer][] = [
    ['main/binary-amd64/Packages', Buffer.from(packages)],
    ['main/binary-amd64/Packages.gz', gzipSync(packages, { level: 9 })],
  ]
  for (const [name, content] of indexes) await writeFile(join(directory, 'dists/appliance', name), content)
  const release = releaseFile(repository, indexes)
  await writeFile(join(directory, 'dists/appliance/Release'), release)
  await writeFile(
    join(directory, 'dists/appliance/InRelease'),
    await key.clearSign(release, dateOf(repository)),
  )
}

/** The index, its stanzas sorted, so that it does not depend on the order of a directory. */
async function packagesIndex(directory: string, signal: AbortSignal): Promise<string> {
  const options = ['MD5', 'SHA1', 'SHA512'].flatMap((sum) => ['-o', `APT::FTPArchive::${sum}=false`])
  const { stdout } = await run('apt-ftparchive', ['packages', ...options, 'pool'], {
    cwd: directory,
    signal,
    keep: 256 << 20,
  })
  const stanzas = stdout.split('\n\n').filter((stanza) => stanza.trim() !== '')
  return stanzas.length === 0
    ? ''
    : `${stanzas
        .map((stanza) => stanza.trim())
        .sort()
        .join('\n\n')}\n`
}

function releaseFile(repository: LockedDebRepository, indexes: [string, Buffer][]): string {
  const sums = indexes.map(([name, content]) => ` ${sha256(content)} ${content.length} ${name}`).join('\n')
  return `Origin: appliance
Label: ${repository.name}
Suite: appliance
Codename: appliance
Date: ${dateOf(repository).toUTCString().replace('GMT', 'UTC')}
Architectures: amd64
Components: main
Description: exactly the packages of appliance.lock.json
SHA256:
${sums}
`
}

/** Upstream's own date: the only clock in what we write. */
function dateOf({ timestamp }: LockedDebRepository): Date {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp) ?? []
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}
