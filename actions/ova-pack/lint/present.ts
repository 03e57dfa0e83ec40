import { sha256 } from '../../lib/files/digest.ts'
import { counted } from '../../lib/units/counted.ts'
import type { Lint } from './lint.ts'
import { rules } from './lint.ts'
import type { Finding, Severity } from './rule.ts'

/** `error  vmdk-slack  x.vmdk@65536  (vmware)`, then what, what was found, and what to do. */
export function findingLines(finding: Finding): string[] {
  const { severity, rule, place, concerns, what, evidence, fix } = finding
  return [
    `${severity}: ${rule}${place ? ` ${place}` : ''} (${concerns.join(', ')}): ${what}`,
    ...(evidence ? [`  found: ${evidence}`] : []),
    `  fix: ${fix}`,
  ]
}

/** The same in one line, for a log that has a word of its own for how bad it is; a workflow shows few of its lines. */
export function sentenceOf(finding: Finding): string {
  const { rule, place, concerns } = finding
  return `${rule}${place ? ` ${place}` : ''} (${concerns.join(', ')}): ${storyOf(finding)}`
}

function storyOf({ what, evidence, fix }: Finding): string {
  return `${what}${evidence ? ` Found: ${evidence}.` : ''} Fix: ${fix}`
}

/** `2 errors, 1 warning`; `nothing found`. */
export function summaryOf({ findings }: Lint): string {
  const counts = (['error', 'warning', 'note'] as const).flatMap((severity) => {
    const count = findings.filter((finding) => finding.severity === severity).length
    return count === 0 ? [] : [counted(count, severity)]
  })
  return counts.length === 0 ? 'nothing found' : counts.join(', ')
}

const order: readonly Severity[] = ['error', 'warning', 'note']

/** Whether a finding is at least as bad as `severity`. */
export function atLeast(severity: Severity): (finding: Finding) => boolean {
  return (finding) => order.indexOf(finding.severity) <= order.indexOf(severity)
}

/**
 * The findings for GitHub's code scanning and its like.
 *
 * @param uri of the OVA, relative to the repository
 * @see https://docs.oasis-open.org/sarif/sarif/v2.1.0/
 */
export function sarif({ findings }: Lint, uri: string): string {
  const used = [...new Set(findings.map(({ rule }) => rule))].sort()
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'appliance lint',
            rules: used.map((id) => {
              const { what, fix, severity, concerns } = rules[id]!
              return {
                id,
                shortDescription: { text: what },
                fullDescription: { text: `${what} ${fix}` },
                help: { text: fix },
                defaultConfiguration: { level: severity },
                properties: { tags: concerns },
              }
            }),
          },
        },
        results: findings.map((finding) => ({
          ruleId: finding.rule,
          ruleIndex: used.indexOf(finding.rule),
          level: finding.severity,
          message: { text: storyOf(finding) },
          partialFingerprints: { primaryLocationLineHash: fingerprint(finding) },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: encodeURI(uri) },
                region: { startLine: lineOf(finding) },
              },
              ...(finding.place && { logicalLocations: [{ fullyQualifiedName: finding.place }] }),
            },
          ],
        })),
      },
    ],
  }
  return `${JSON.stringify(log, null, 2)}\n`
}

/** The same finding in the next build is the same alert: code scanning finds none in a line of an archive. */
function fingerprint({ rule, place }: Finding): string {
  return `${sha256(`${rule} ${place.replace(/[@:]\d+$/, '')}`).slice(0, 16)}:1`
}

/** The line of the descriptor or manifest; code scanning wants one everywhere. */
function lineOf({ place }: Finding): number {
  return Number(/\.(?:ovf|mf):(\d+)$/.exec(place)?.[1] ?? 1)
}
