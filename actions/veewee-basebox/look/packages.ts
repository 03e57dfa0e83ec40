import type { Ext4 } from '../../lib/disk/ext4.ts'

/** A package as the guest's package database has it. */
export interface Installed {
  name: string
  version: string
  /** Unpacked, bytes; upstream's own figure. */
  size: number
}

const STATUS = '/var/lib/dpkg/status'
const INFO = '/var/lib/dpkg/info'

/** The installed packages by dpkg's database; undefined where the guest has none. @see deb-control(5) */
export async function installedOn(root: Ext4): Promise<Installed[] | undefined> {
  const status = (await root.read([STATUS])).get(STATUS)
  if (status === undefined) return undefined
  return status
    .toString()
    .split('\n\n')
    .flatMap((stanza) => {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1]
      const name = field('Package')
      if (name === undefined || !/^\S+ \S+ installed$/.test(field('Status') ?? '')) return []
      return [{ name, version: field('Version') ?? '', size: Number(field('Installed-Size') ?? 0) * 1024 }]
    })
}

/** Which package owns which of the paths, by dpkg's lists of files. */
export async function ownersOf(
  root: Ext4,
  installed: readonly Installed[],
  paths: readonly string[],
): Promise<Map<string, string>> {
  const owners = new Map<string, string>()
  if (paths.length === 0) return owners
  const wanted = new Map(paths.flatMap((path) => spellings(path).map((spelling) => [spelling, path])))
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

/** A package may still write `/lib/…` for what lies in `/usr/lib/…`. */
function spellings(path: string): string[] {
  return [path, path.replace(/^\/usr(?=\/(bin|sbin|lib)\/)/, '')]
}
