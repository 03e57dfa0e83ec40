import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expandBraces, Pattern } from '../../lib/disk/pattern.ts'
import type { RootFileSystem } from '../../lib/disk/root-file-system.ts'
import type { ToolsRoot } from '../../lib/tools/tools.ts'
import type { Installed } from './parts.ts'

const DPKG = '/var/lib/dpkg/status'
const RPM = '/usr/lib/sysimage/rpm/rpmdb.sqlite'
const OLD_RPM = '/var/lib/rpm/rpmdb.sqlite'
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
  return [...debs(status), ...(await rpms(root, tools, work)), ...(await gems(root))]
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

/** rpm reads its own database, a copy of it; versions as in the lock: epoch, version, release. */
async function rpms(root: RootFileSystem, tools: Pick<ToolsRoot, 'run'>, work: string): Promise<Installed[]> {
  const contents = await root.read([RPM, OLD_RPM])
  const database = contents.get(RPM) ?? contents.get(OLD_RPM)
  if (!database) return []
  const folder = join(work, 'rpmdb')
  await mkdir(folder, { recursive: true })
  try {
    await writeFile(join(folder, 'rpmdb.sqlite'), database)
    const format = '%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\t%{ARCH}\\n'
    const { stdout } = await tools.run('rpm', ['-qa', '--dbpath', folder, '--qf', format])
    return stdout
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('gpg-pubkey\t'))
      .map((line) => {
        const [name, version, arch] = line.split('\t') as [string, string, string]
        return { kind: 'rpm' as const, name, version, arch }
      })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
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
