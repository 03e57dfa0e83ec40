import type { RootFileSystem } from '../../lib/disk/root-file-system.ts'
import { type Installed, type PackageDatabase, wantedPaths } from './packages.ts'

const STATUS = '/var/lib/dpkg/status'
const INFO = '/var/lib/dpkg/info'

/** @see deb-control(5), deb-status in dpkg-query(1) */
export async function dpkgDatabase(root: RootFileSystem): Promise<PackageDatabase | undefined> {
  const status = (await root.read([STATUS])).get(STATUS)
  if (status === undefined) return undefined
  const installed = status
    .toString()
    .split('\n\n')
    .flatMap((stanza) => {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1]
      const name = field('Package')
      if (name === undefined || !/^\S+ \S+ installed$/.test(field('Status') ?? '')) return []
      return [{ name, version: field('Version') ?? '', size: Number(field('Installed-Size') ?? 0) * 1024 }]
    })
  return { installed, ownersOf: (paths) => ownersByLists(root, installed, paths) }
}

/** By dpkg's lists of files. */
async function ownersByLists(
  root: RootFileSystem,
  installed: readonly Installed[],
  paths: readonly string[],
): Promise<Map<string, string>> {
  const owners = new Map<string, string>()
  if (paths.length === 0) return owners
  const wanted = wantedPaths(paths)
  const lists = installed.flatMap(({ name }) => [`${INFO}/${name}.list`, `${INFO}/${name}:amd64.list`])
  for (const [list, content] of await root.read(lists)) {
    const name = list.slice(INFO.length + 1).replace(/(:amd64)?\.list$/, '')
    for (const line of content.toString().split('\n')) {
      const path = wanted.get(line)
      if (path !== undefined) owners.set(path, name)
    }
  }
  return owners
}
