import { expect, test } from '@jest/globals'
import { rules } from '../../../actions/ova-pack/lint/lint.ts'
import { sarif, sentenceOf } from '../../../actions/ova-pack/lint/present.ts'
import type { Finding } from '../../../actions/ova-pack/lint/rule.ts'

function finding(rule: string, place: string): Finding {
  const { severity, concerns, what, fix } = rules[rule]!
  return { rule, severity, concerns: [...concerns], what, fix, place, evidence: 'found so' }
}

/** Everything of SARIF 2.1.0 that GitHub's code scanning requires (docs.github.com, "SARIF support"). */
interface Sarif {
  $schema: string
  version: string
  runs: {
    tool: {
      driver: {
        name: string
        rules: {
          id: string
          shortDescription: { text: string }
          fullDescription: { text: string }
          help: { text: string }
          defaultConfiguration: { level: string }
        }[]
      }
    }
    results: {
      ruleId: string
      ruleIndex: number
      level: string
      message: { text: string }
      partialFingerprints: Record<string, string>
      locations: {
        physicalLocation: { artifactLocation: { uri: string }; region: { startLine: number } }
      }[]
    }[]
  }[]
}

function written(...findings: Finding[]): Sarif['runs'][number] & Pick<Sarif, 'version'> {
  const log = JSON.parse(sarif({ findings, judgedFor: [] }, 'build/ova-pack/my app-1.0.ova')) as Sarif
  expect(log.runs).toHaveLength(1)
  return { ...log.runs[0]!, version: log.version }
}

const levels = ['none', 'note', 'warning', 'error']

test('whatever the lint finds has all that code scanning requires', () => {
  const findings = Object.keys(rules).map((rule) => finding(rule, 'x.ovf:12'))
  const { version, tool, results } = written(...findings)
  expect(version).toBe('2.1.0')
  expect(tool.driver.name).not.toBe('')
  expect(results).toHaveLength(findings.length)
  for (const { ruleId, ruleIndex, level, message, partialFingerprints, locations } of results) {
    const rule = tool.driver.rules[ruleIndex]!
    expect(rule.id).toBe(ruleId)
    for (const { text } of [rule.shortDescription, rule.fullDescription, rule.help, message])
      expect(text.length).toBeGreaterThan(5)
    expect(rule.shortDescription.text.length).toBeLessThanOrEqual(1024)
    expect(levels).toContain(level)
    expect(levels).toContain(rule.defaultConfiguration.level)
    expect(partialFingerprints.primaryLocationLineHash).toMatch(/^[0-9a-f]{16}:1$/)
    expect(locations).toHaveLength(1)
    const { artifactLocation, region } = locations[0]!.physicalLocation
    expect(artifactLocation.uri).toBe('build/ova-pack/my%20app-1.0.ova')
    expect(region.startLine).toBe(12)
  }
})

test('a place that is no line is the first, and an alert outlives its offset', () => {
  const { results } = written(finding('vmdk-grain', 'x.vmdk@65536'), finding('vmdk-grain', 'x.vmdk@131072'))
  expect(results[0]!.locations[0]!.physicalLocation.region.startLine).toBe(1)
  expect(results[0]!.partialFingerprints).toEqual(results[1]!.partialFingerprints)
})

test('nothing found is a run without results, which closes the alerts of earlier ones', () => {
  expect(written().results).toEqual([])
})

test('in the log of a stage a finding is one line, whole', () => {
  expect(sentenceOf(finding('nic-mac', 'x.ovf:12'))).toBe(
    'nic-mac x.ovf:12 (everyone): A fixed MAC address: two installations in one network collide. Found: found so. Fix: Leave Address out, the hypervisor gives one.',
  )
})
