import { ApplianceError, CommandFailed } from '../../lib/errors/error.ts'
import { nearest } from '../../lib/errors/nearest.ts'

/** Lines in which apt says why it finds no solution. */
const REASON = /^E: |^(.* )?(Pre-)?(Depends|Conflicts|Breaks|Recommends): /
const ABSENT = /^(E: Unable to locate package|E: Package '(?=\S+' has no installation candidate)) *([^\s']+)/
const SHOWN = 12

/**
 * That apt finds no solution, in its own words: whose packages they are, and, for a name that no source has, the
 * nearest that one of them has.
 *
 * @param names of all packages there are
 * @returns what to throw
 */
export function unsatisfied(
  error: unknown,
  sources: readonly { name: string; packages?: readonly string[] }[],
  names: readonly string[],
): unknown {
  if (!(error instanceof CommandFailed)) return error
  const lines = error.stderrTail.split('\n').map((line) => line.trim())
  const said = lines.filter((line) => REASON.test(line))
  const reasons = (said.length > 0 ? said : lines).filter((line) => line !== '').slice(0, SHOWN)
  const words = reasons.map((line) => {
    const [, , absent] = ABSENT.exec(line) ?? []
    const near = absent === undefined ? undefined : nearest(absent, names)
    return `${line.replace(/^E: /, '')}${near === undefined || near === absent ? '' : ` (did you mean ${near}?)`}`
  })
  const whose = concerned(reasons.join(' '), sources)
  const where = whose.length > 0 ? `deb ${whose.join(', ')}: ` : ''
  return new ApplianceError(
    'unsatisfiable',
    `${where}these packages cannot be installed together: ${words.join('; ')}`,
    {
      hint: 'Look at the names under mirror.deb[…].packages, and whether the suites (and pins) have them.',
      cause: error,
    },
  )
}

/** The sources for which the packages are wanted that apt speaks of; where it speaks of none, all that want any. */
function concerned(
  words: string,
  sources: readonly { name: string; packages?: readonly string[] }[],
): string[] {
  const spoken = new Set(words.split(/[\s:;,()'|]+/))
  const wanting = sources.filter(({ packages = [] }) => packages.length > 0)
  const named = wanting.filter(({ packages = [] }) =>
    packages.some((one) => spoken.has(one.replace(/[:/=].*/, ''))),
  )
  return (named.length > 0 ? named : wanting).map(({ name }) => name)
}
