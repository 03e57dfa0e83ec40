import { expandBraces, Pattern } from '../../lib/disk/pattern.ts'
import type { RootFileSystem } from '../../lib/disk/root-file-system.ts'
import type { Installed } from './parts.ts'

/** Where RubyGems, Bundler, rbenv and products put gems; and where packages of distributions do. */
const GEMS = [
  '/{app,home,opt,root,srv,usr/local,var/lib,var/www}/**/specifications/*.gemspec',
  '/usr/lib/ruby/gems/*/specifications/*.gemspec',
  '/usr/{share,lib64}/gems/specifications/*.gemspec',
  '/usr/{share,lib,lib/*}/rubygems-integration/*/specifications/*.gemspec',
]

/** What RubyGems itself writes into `specifications/`. */
const LICENCES = /^ *s\.licenses = \[(.*)\]/m

/**
 * Every gem on the disk, once: one that somebody has installed before one that a distribution's package has brought.
 *
 * @param rpm what rpm says of every package in the disk's database; undefined where there is none
 */
export async function gemsOn(
  root: RootFileSystem,
  rpm: (format: string) => Promise<string[] | undefined>,
): Promise<Installed[]> {
  const tree = await root.tree(GEMS.flatMap(expandBraces).map((text) => new Pattern(text)))
  const files = [...tree.values()].flatMap(({ path, kind }) => {
    const match = /\/([^/]+?)-(\d[^/-]*(?:\.[^/-]+)*)(?:-([a-z][^/]*))?\.gemspec$/.exec(path)
    return kind === 'file' && match && !path.includes('/specifications/default/') ? [{ path, match }] : []
  })
  const paths = files.map(({ path }) => path)
  const packages = await owners(
    paths.filter((path) => /^\/usr\/(?!local\/)/.test(path)),
    root,
    rpm,
  )
  const texts = await root.read(paths)
  const found = new Map<string, Installed>()
  for (const { path, match } of files) {
    const [, name, version, arch] = match as unknown as [string, string, string, string?]
    const within = packages.get(path)
    const key = `${name} ${version}`
    if (found.has(key) && within !== undefined) continue
    const license = licenceOf(texts.get(path)?.toString() ?? '')
    found.set(key, {
      ...{ kind: 'gem', name, version },
      ...(arch && { arch }),
      ...(license && { license }),
      ...(within && { within }),
    })
  }
  return [...found.values()]
}

/** Several are a choice, as RubyGems has it; SPDX identifiers hold no blanks, what does is the best there is. */
function licenceOf(specification: string): string {
  const stated = LICENCES.exec(specification)?.[1] ?? ''
  const words = [...stated.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word]) => word!.trim())
  return words.map((word) => word.replace(/\s+/g, '-')).join(' OR ')
}

/** The package, of dpkg or of rpm, that each of the files is of; not in it where it is of none. */
async function owners(
  files: readonly string[],
  root: RootFileSystem,
  rpm: (format: string) => Promise<string[] | undefined>,
): Promise<Map<string, string>> {
  const owner = new Map<string, string>()
  if (files.length === 0) return owner
  const wanted = new Set(files)
  const lists = await root.tree([new Pattern('/var/lib/dpkg/info/*.list')])
  for (const [list, text] of await root.read([...lists.keys()].filter((path) => path.endsWith('.list'))))
    for (const path of text.toString().split('\n'))
      if (wanted.has(path)) owner.set(path, `deb ${/([^/:]+)(:[^/]*)?\.list$/.exec(list)![1]}`)
  for (const line of (await rpm('[%{=NAME} %{FILENAMES}\\n]')) ?? []) {
    const [, name, path] = /^(\S+) (.*)$/.exec(line) ?? []
    if (path && wanted.has(path)) owner.set(path, `rpm ${name}`)
  }
  return owner
}
