import { basename } from 'node:path'
import type { Guest } from '../lib/guest/guest.ts'
import type { Spec } from '../lib/spec/spec.ts'

const everything =
  'rm -f /etc/apt/sources.list; find /etc/apt/sources.list.d /etc/yum.repos.d -mindepth 1 -maxdepth 1 -delete 2>/dev/null; true'

/** Gives the machine the package sources that the customer is to have. */
export async function setPackageSources(
  guest: Guest,
  sources: Spec['packageSources'],
  signal: AbortSignal,
): Promise<void> {
  if (sources === 'upstream') return
  await guest.run(everything, { signal, title: 'removing the package sources' })
  if (sources === 'none') return
  const names = sources.files.map((file) => basename(file))
  for (const file of sources.files)
    await guest.upload(file, packageSourcePath(basename(file), names), {
      mode: 0o644,
      owner: 'root',
      group: 'root',
      signal,
    })
}

/**
 * Where a file of this name belongs: what is none of apt's or dnf's own is a key.
 *
 * @param names all that the customer gets: keys beside `*.repo` are dnf's
 * @see sources.list(5), dnf.conf(5)
 */
export function packageSourcePath(name: string, names: readonly string[]): string {
  if (name.endsWith('.repo')) return `/etc/yum.repos.d/${name}`
  if (/\.(sources|list)$/.test(name)) return `/etc/apt/sources.list.d/${name}`
  const dnf = name.startsWith('RPM-GPG-KEY-') || names.some((other) => other.endsWith('.repo'))
  return dnf ? `/etc/pki/rpm-gpg/${name}` : `/etc/apt/keyrings/${name}`
}
