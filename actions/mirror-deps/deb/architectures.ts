import type { LockedDebRepository } from '../../lib/lock/lock.ts'

/**
 * The architectures whose packages locked repositories are about: those of their indexes and packages, amd64 first,
 * which every guest has.
 */
export function architecturesOf(
  repositories: readonly Pick<LockedDebRepository, 'evidence' | 'packages'>[],
): string[] {
  const found = repositories.flatMap(({ evidence, packages }) => [
    ...evidence.flatMap(({ path }) => /\/binary-([a-z0-9-]+)\/[^/]+$/.exec(path)?.[1] ?? []),
    ...packages.map(({ arch }) => arch),
  ])
  const others = found.filter((one) => one !== 'amd64' && one !== 'all').sort()
  return [...new Set(['amd64', ...others])]
}
