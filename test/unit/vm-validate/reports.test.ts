import { describe, expect, test } from '@jest/globals'
import { escapeXml, junitXml } from '../../../actions/vm-validate/junit.ts'
import { parseXml } from '../../../actions/vm-validate/ova/xml.ts'
import { reaches } from '../../../actions/vm-validate/reaches.ts'
import { summaryMarkdown } from '../../../actions/vm-validate/summary.ts'
import {
  failedStep,
  type ScenarioResult,
  type StepResult,
  verdictOn,
  verdictRecord,
} from '../../../actions/vm-validate/verdict.ts'

const step = (title: string, rest: Partial<StepResult> = {}): StepResult => ({
  title,
  status: 'passed',
  finding: 'as expected',
  remarks: [],
  duration: 1500,
  ...rest,
})
const result = (name: string, rest: Partial<ScenarioResult> = {}): ScenarioResult => ({
  name,
  kind: 'scenario',
  status: 'passed',
  steps: [step('run true')],
  remarks: [],
  evidence: [],
  duration: 2000,
  ...rest,
})
const failing = result('A <licence> & "more"', {
  file: 'scenarios/licence.yml',
  status: 'failed',
  evidence: ['evidence/a-licence/screen.png'],
  steps: [
    step('port 80'),
    step('run exit 3', {
      status: 'failed',
      finding: 'expected exit status 0, got 3',
      output: 'red \u001b[31mink\u0000 ]]> \ud800 & <tag> ```',
    }),
    step('get /', { status: 'skipped', finding: 'an earlier step failed' }),
  ],
})
const subject = { kind: 'disk' as const, name: 'disk.qcow2', diskSha256: 'a'.repeat(64) }
const escapes = [
  { who: 'machine box', to: 'deb.debian.org', how: 'dns', times: 2 },
  { who: 'machine box', to: '0.pool.ntp.org', how: 'dns', times: 2, harmless: 'time' },
]
const verdict = verdictOn(subject, [result('Good'), failing], ['booted by BIOS'], escapes)

describe('the JUnit report', () => {
  const document = parseXml(junitXml(verdict))

  test('has a testsuite for a scenario and a testcase for a step', () => {
    expect(document.attributes).toMatchObject({ tests: '4', failures: '1', skipped: '1', time: '4.000' })
    expect(document.children.map(({ attributes }) => attributes.name)).toEqual([
      'Good',
      'A <licence> & "more"',
    ])
    const [, licence] = document.children
    expect(licence!.attributes.file).toBe('scenarios/licence.yml')
    expect(licence!.children.filter(({ name }) => name === 'testcase')).toHaveLength(3)
    const failure = licence!.children[1]!.children[0]!
    expect(failure.name).toBe('failure')
    expect(failure.attributes.message).toBe('expected exit status 0, got 3')
    expect(failure.text).toBe('red \u{FFFD}[31mink\u{FFFD} ]]> \u{FFFD} & <tag> ```')
  })

  test('never holds a character that XML forbids', () => {
    const everything = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code)).join('')
    expect(escapeXml(everything)).not.toMatch(
      /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u,
    )
    expect(escapeXml('é 😀\n')).toBe('é 😀&#10;')
  })
})

describe('the summary', () => {
  const text = summaryMarkdown(verdict)

  test('names failures first, with what was expected and where the evidence is', () => {
    const rows = text.split('\n').filter((line) => /^\| [✅❌]/u.test(line))
    expect(rows[0]).toContain('❌')
    expect(rows[0]).toContain('expected exit status 0, got 3')
    expect(rows[1]).toContain('✅')
    expect(text).toContain('`evidence/a-licence/screen.png`')
    expect(text).toContain('`machine box: deb.debian.org (dns), 2 ×`')
    expect(text).not.toContain('pool.ntp.org')
  })

  test('gives text of a guest no meaning', () => {
    expect(text).not.toContain('A <licence>')
    expect(text).toContain('````text')
    expect(text).not.toContain('\u001b')
  })
})

describe('who tried to reach what is not in the mirror', () => {
  test('is a finding, and in JUnit; what is harmless, or allowed, is none', () => {
    const found = verdictOn(subject, [result('Good'), ...reaches(escapes, 'fail')], [], escapes)
    expect(found.passed).toBe(false)
    expect(failedStep(found.results[1]!)!.finding).toBe('machine box: deb.debian.org (dns), 2 ×')
    expect(junitXml(found)).toContain('deb.debian.org')
    expect(reaches(escapes, 'warn')).toEqual([])
    expect(reaches(escapes.slice(1), 'fail')).toEqual([])
  })
})

describe('the verdict', () => {
  test('is failed when one scenario is, and passed when none is', () => {
    expect(verdict.passed).toBe(false)
    expect(verdictOn(subject, [result('Good')], [], []).passed).toBe(true)
  })

  test('is not passed when nothing ran', () => {
    expect(verdictOn(subject, [], [], []).passed).toBe(false)
  })

  test('is recorded without clock, so that equal findings are equal bytes', () => {
    const slower = verdictOn(
      subject,
      verdict.results.map((one) => ({ ...one, duration: one.duration + 1 })),
      verdict.remarks,
      verdict.escapes,
    )
    expect(JSON.stringify(verdictRecord(slower))).toBe(JSON.stringify(verdictRecord(verdict)))
    expect(verdictRecord(verdict)).toMatchObject({
      verdict: 'failed',
      subject: { diskSha256: 'a'.repeat(64) },
    })
  })
})
