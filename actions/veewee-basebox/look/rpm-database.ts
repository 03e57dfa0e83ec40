import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RootFileSystem } from '../../lib/disk/root-file-system.ts'
import { type PackageDatabase, type Reading, wantedPaths } from './packages.ts'

/** Where rpm keeps its database: since Fedora 36 and RHEL 10, and before. */
const FOLDERS = ['/usr/lib/sysimage/rpm', '/var/lib/rpm']
const FILES = ['rpmdb.sqlite', 'rpmdb.sqlite-wal']

/** The guest's RPM database, read by the tools root's rpm from a copy; undefined where the guest has none. */
export async function rpmDatabase(
  root: RootFileSystem,
  { tools, scratch, signal }: Reading,
): Promise<PackageDatabase | undefined> {
  const there = await root.read(FOLDERS.flatMap((folder) => FILES.map((name) => `${folder}/${name}`)))
  const from = FOLDERS.find((folder) => there.has(`${folder}/${FILES[0]}`))
  if (from === undefined) return undefined
  const copy = join(scratch, 'rpmdb')
  await rm(copy, { recursive: true, force: true })
  await mkdir(copy, { recursive: true })
  for (const name of FILES) {
    const content = there.get(`${from}/${name}`)
    if (content) await writeFile(join(copy, name), content)
  }
  const query = async (format: string) => {
    const env = { RPM_CONFIGDIR: join(tools.directory, 'usr/lib/rpm') }
    const args = ['--dbpath', copy, '--nosignature', '--nodigest', '-qa', '--qf', format]
    const { stdout } = await tools.run('rpm', args, { env, signal, keep: 256 << 20 })
    return stdout.split('\n').flatMap((line) => (line ? [line.split('\t')] : []))
  }
  // Keys that are trusted are kept as packages.
  const packages = (await query('%{NAME}\\t%{VERSION}-%{RELEASE}\\t%{SIZE}\\n')).filter(
    ([name]) => name !== 'gpg-pubkey',
  )
  return {
    installed: packages.map(([name, version, size]) => ({
      name: name!,
      version: version!,
      size: Number(size),
    })),
    async ownersOf(paths) {
      if (paths.length === 0) return new Map()
      const wanted = wantedPaths(paths)
      return new Map(
        (await query('[%{=NAME}\\t%{FILENAMES}\\n]')).flatMap(([name, file]) => {
          const path = wanted.get(file!)
          return path === undefined ? [] : [[path, name!] as const]
        }),
      )
    },
  }
}
