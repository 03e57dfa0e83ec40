import { escapeLine, grave } from '../lib/network/attempts.ts'
import type { Escape } from '../lib/network/network.ts'
import type { ScenarioResult } from './verdict.ts'

/**
 * The finding that something tried to reach what is not in the mirror, as a group of checks that failed; none where
 * nothing did, or where the spec says that it may (`escapes: warn`).
 */
export function reaches(escapes: readonly Escape[], mode: 'fail' | 'warn'): ScenarioResult[] {
  const blamed = grave(escapes)
  const [first] = blamed
  if (first === undefined || mode === 'warn') return []
  const more = blamed.length > 1 ? ` (and ${blamed.length - 1} more)` : ''
  return [
    {
      name: 'What it tries to reach',
      kind: 'checks',
      status: 'failed',
      steps: [
        {
          title: 'nothing but the mirror',
          status: 'failed',
          finding: `${escapeLine(first)}${more}`,
          output: blamed.map((one) => `${escapeLine(one)}\n`).join(''),
          remarks: [],
          duration: 0,
        },
      ],
      remarks: [],
      evidence: [],
      duration: 0,
    },
  ]
}
