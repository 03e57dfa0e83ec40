import type { Artefact, Lock } from '../lib/lock/lock.ts'
import { formatSize } from '../lib/units/size.ts'

/** What a lock holds, a line for each kind, for a person: `packages: 210 from debian and security, 200 MiB`. */
export function describeContents({ deb, rpm, gem, git, file, iso, cookbook = [], tools }: Lock): string[] {
  const sources = (kind: string, from: readonly { name: string; artefacts: readonly Artefact[] }[]) =>
    from.length === 0
      ? []
      : [
          line(
            kind,
            from.flatMap(({ artefacts }) => artefacts),
            from.map(({ name }) => name).join(' and '),
          ),
        ]
  const rpms = rpm.map(({ name, packages }) => ({ name, artefacts: packages }))
  const debs = (list: Lock['deb']) => list.map(({ name, packages }) => ({ name, artefacts: packages }))
  const gems = (list: Lock['gem']) => list.map(({ name, gems }) => ({ name, artefacts: gems }))
  return [
    ...sources('packages', debs(deb)),
    ...sources('RPMs', rpms),
    ...sources('gems', gems(gem)),
    ...(git.length > 0 ? [`git repositories: ${git.map(({ name }) => name).join(', ')}`] : []),
    ...(file.length > 0 ? [line('files', file)] : []),
    ...(iso.length > 0 ? [line('ISO images', iso)] : []),
    ...sources(
      'cookbooks',
      cookbook.map(({ name, cookbooks }) => ({ name, artefacts: cookbooks })),
    ),
    ...sources('packages of the build tools', debs(tools.deb)),
    ...sources('gems of the build tools', gems(tools.gem)),
  ]
}

function line(kind: string, artefacts: readonly Artefact[], from?: string): string {
  const bytes = artefacts.reduce((sum, { size }) => sum + size, 0)
  return `${kind}: ${artefacts.length}${from ? ` from ${from}` : ''}, ${formatSize(bytes)}`
}
