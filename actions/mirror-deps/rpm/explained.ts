import { ApplianceError } from '../../lib/errors/error.ts'
import type { DnfFault } from './dnf.ts'
import type { RpmEntry } from './upstream.ts'

/** What dnf found wrong, as one error: its own words, and which source. */
export function faultOf(faults: readonly DnfFault[], entries: readonly RpmEntry[]): ApplianceError {
  const lines = faults.map((fault) => `${sourcesOf(fault, entries)}: ${fault.message}`)
  const [{ kind }] = faults as [DnfFault, ...DnfFault[]]
  if (kind !== 'index') return new ApplianceError('unsatisfiable', lines.join('\n'), { hint: HINTS[kind] })
  const forged = faults.some(({ message }) => /checksum/i.test(message))
  return new ApplianceError(forged ? 'digest-mismatch' : 'unreachable', lines.join('\n'), {
    hint: forged
      ? 'The kept index is damaged: run `appliance mirror-deps` first, or take the mirror from an archive.'
      : 'Upstream publishes an index that dnf cannot read: try again later, or another mirror.',
  })
}

const HINTS = {
  module:
    'Look at mirror.rpm[…].modules. Which platform streams are for is told by the repository of the base system, which has to be among the sources.',
  package:
    'Look at the names under mirror.rpm[…]: packages and groups, and whether the repositories have them.',
  depsolve:
    'Does a repository lack, e.g. the one with the base system? All of mirror.rpm is solved together.',
}

/** A solution fails for all; those are named whose packages dnf talks about. */
function sourcesOf({ source, message }: DnfFault, entries: readonly RpmEntry[]): string {
  if (source) return `rpm ${source}`
  const words = message.split(/[\s,;()]+/)
  const concerned = entries.filter(({ packages }) =>
    packages.some((name) => words.some((word) => word === name || word.startsWith(`${name}-`))),
  )
  const named =
    concerned.length > 0
      ? concerned
      : entries.filter(({ packages, groups }) => packages.length + groups.length > 0)
  return `rpm ${named.map(({ name }) => name).join(', ')}`
}
