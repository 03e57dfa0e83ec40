import { expandBraces, Pattern } from '../../lib/disk/pattern.ts'
import type { RootFileSystem } from '../../lib/disk/root-file-system.ts'
import type { ToolsRoot } from '../../lib/tools/tools.ts'
import { queryRpms } from '../rpm-database.ts'
import type { Installed } from './parts.ts'

const DPKG = '/var/lib/dpkg/status'
/** Where gems are, wherever Bundler or RubyGems put them. */
const GEMS = [
  '/var/lib/gems/*/specifications/*.gemspec',
  '/usr/local/lib/ruby/gems/*/specifications/*.gemspec',
  '/usr/lib/ruby/gems/*/specifications/*.gemspec',
  '/{opt,srv,var/www,home,usr/local}/**/ruby/*/specifications/*.gemspec',
]

/** Every package that the disk itself says it has: dpkg's status, rpm's database, gems' specifications. */
export async function installedOn(
  root: RootFileSystem,
  tools: Pick<ToolsRoot, 'run'>,
  work: string,
): Promise<Installed[]> {
  const status = (await root.read([DPKG])).get(DPKG)?.toString() ?? ''
  const rpms = await queryRpms((paths) => root.read(paths), tools.run.bind(tools), work, RPM_FORMAT)
  return [...debs(status), ...rpmsOf(rpms ?? []), ...(await gems(root))]
}

/** Paragraphs of dpkg's status with `Status: install ok installed`. */
export function debs(status: string): Installed[] {
  return status.split(/\n\n+/).flatMap((paragraph) => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1]
    const [name, version, arch] = [field('Package'), field('Version'), field('Architecture')]
    if (!name || !version || !field('Status')?.endsWith(' installed')) return []
    return [{ kind: 'deb' as const, name, version, ...(arch && { arch }) }]
  })
}

/** rpm's own words for a package, as {@link rpmsOf} reads them. */
export const RPM_FORMAT = '%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\t%{ARCH}\\n'

/** Versions as in the lock: epoch, version, release. */
export function rpmsOf(lines: readonly string[]): Installed[] {
  return lines
    .filter((line) => !line.startsWith('gpg-pubkey\t'))
    .map((line) => {
      const [name, version, arch] = line.split('\t') as [string, string, string]
      return { kind: 'rpm' as const, name, version, arch }
    })
}

async function gems(root: RootFileSystem): Promise<Installed[]> {
  const patterns = GEMS.flatMap(expandBraces).map((text) => new Pattern(text))
  const tree = await root.tree(patterns)
  const found = new Map<string, Installed>()
  for (const { path, kind } of tree.values()) {
    const match = /\/([^/]+?)-(\d[^/-]*(?:\.[^/-]+)*)(?:-([a-z][^/]*))?\.gemspec$/.exec(path)
    if (kind !== 'file' || !match || path.includes('/specifications/default/')) continue
    const [, name, version, arch] = match as unknown as [string, string, string, string?]
    found.set(`${name} ${version}`, { kind: 'gem', name, version, ...(arch && { arch }) })
  }
  return [...found.values()]
}
