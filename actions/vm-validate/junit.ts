import type { ScenarioResult, StepResult, Verdict } from './verdict.ts'

/**
 * The verdict as JUnit XML: a scenario is a testsuite, a step a testcase. Times are seconds.
 *
 * @see https://github.com/testmoapp/junitxml (the de facto format; there is no standard)
 */
export function junitXml(verdict: Verdict): string {
  const suites = verdict.results.map(testsuite).join('')
  const all = verdict.results.flatMap((result) => result.steps)
  const duration = verdict.results.reduce((sum, result) => sum + result.duration, 0)
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="vm-validate"${counts(all)} time="${seconds(duration)}">
${suites}</testsuites>
`
}

function testsuite(result: ScenarioResult): string {
  const properties = result.remarks
    .map((remark) => `      <property name="remark" value="${escapeXml(remark)}"/>\n`)
    .join('')
  return `  <testsuite name="${escapeXml(result.name)}"${counts(result.steps)} time="${seconds(result.duration)}"${
    result.file ? ` file="${escapeXml(result.file)}"` : ''
  }>
${properties ? `    <properties>\n${properties}    </properties>\n` : ''}${result.steps
  .map((step, index) => testcase(result, step, index))
  .join('')}${
  result.evidence.length > 0
    ? `    <system-out>${escapeXml(result.evidence.map((file) => `[[ATTACHMENT|${file}]]`).join('\n'))}</system-out>\n`
    : ''
}  </testsuite>
`
}

function testcase(result: ScenarioResult, step: StepResult, index: number): string {
  const name = `${String(index + 1).padStart(2, '0')} ${step.title}`
  const open = `    <testcase name="${escapeXml(name)}" classname="${escapeXml(result.name)}" time="${seconds(step.duration)}"`
  const inside = [
    step.status === 'failed'
      ? `      <failure message="${escapeXml(step.finding)}">${escapeXml(step.output ?? step.finding)}</failure>\n`
      : '',
    step.status === 'skipped' ? `      <skipped message="${escapeXml(step.finding)}"/>\n` : '',
    step.remarks.length > 0 ? `      <system-out>${escapeXml(step.remarks.join('\n'))}</system-out>\n` : '',
  ].join('')
  return inside ? `${open}>\n${inside}    </testcase>\n` : `${open}/>\n`
}

function counts(steps: readonly StepResult[]): string {
  const of = (status: StepResult['status']) => steps.filter((step) => step.status === status).length
  return ` tests="${steps.length}" failures="${of('failed')}" errors="0" skipped="${of('skipped')}"`
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3)
}

/**
 * Text for an attribute or an element. What XML 1.0 cannot hold at all (section 2.2: control characters, lone
 * surrogates, U+FFFE and U+FFFF) becomes U+FFFD; tabs and line ends survive attributes as references.
 */
export function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\u{FFFD}')
    .replace(/[&<>"'\t\n\r]/g, (character) => xmlReferences[character]!)
}

const xmlReferences: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
}
