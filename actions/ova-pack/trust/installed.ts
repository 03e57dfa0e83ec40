import type { RootFileSystem } from '../../lib/disk/root-file-system.ts'
import type { Lock } from '../../lib/lock/lock.ts'
import { licenceIn } from '../../lib/mirror/deb-copyright.ts'
import type { ToolsRoot } from '../../lib/tools/tools.ts'
import { queryRpms } from '../rpm-database.ts'
import { gemsOn } from './gems.ts'
import type { Installed } from './parts.ts'

const DPKG = '/var/lib/dpkg/status'

/**
 * Every package that the disk itself says it has: dpkg's status, rpm's database, gems' specifications.
 *
 * @param lock the licences of Debian packages in it are known; those of others are read from the disk
 */
export async function installedOn(
  root: RootFileSystem,
  tools: Pick<ToolsRoot, 'run'>,
  work: string,
  lock?: Lock,
): Promise<Installed[]> {
  const status = (await root.read([DPKG])).get(DPKG)?.toString() ?? ''
  const rpm = (format: string) => queryRpms((paths) => root.read(paths), tools.run.bind(tools), work, format)
  return [
    ...(await withLicences(debs(status), root, lock)),
    ...rpmsOf((await rpm(RPM_FORMAT)) ?? []),
    ...(await gemsOn(root, rpm)),
  ]
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

/** Those that are not in the lock say their licence in a file that each has to ship (Debian Policy, §12.5). */
async function withLicences(
  found: readonly Installed[],
  root: RootFileSystem,
  lock: Lock | undefined,
): Promise<Installed[]> {
  const keyOf = ({ name, version }: { name: string; version: string }) => `${name} ${version}`
  const locked = new Set(lock?.deb.flatMap(({ packages }) => packages.map(keyOf)))
  const fileOf = ({ name }: Installed) => `/usr/share/doc/${name}/copyright`
  const strays = found.filter((one) => !locked.has(keyOf(one)))
  const texts = await root.read(strays.map(fileOf))
  return found.map((one) => {
    const text = texts.get(fileOf(one))
    return text ? { ...one, license: licenceIn(text.toString()) } : one
  })
}

/** rpm's own words for a package, as {@link rpmsOf} reads them. */
export const RPM_FORMAT =
  '%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\t%{ARCH}\\t%|LICENSE?{%{LICENSE}}|\\n'

/** Versions as in the lock: epoch, version, release. */
export function rpmsOf(lines: readonly string[]): Installed[] {
  return lines
    .filter((line) => !line.startsWith('gpg-pubkey\t'))
    .map((line) => {
      const [name, version, arch, license] = line.split('\t') as [string, string, string, string?]
      return { kind: 'rpm' as const, name, version, arch, ...(license && { license }) }
    })
}
