import { toApplianceError } from '../lib/errors/error.ts'
import { descendants, type Element, parseXml } from './ova/xml.ts'
import type { StepRun } from './report.ts'

/**
 * The test cases of a JUnit file. A file that is none is a case that failed.
 *
 * @param file what to call it in messages
 * @see https://github.com/testmoapp/junitxml
 */
export function casesIn(text: string, file: string): StepRun[] {
  try {
    return descendants(parseXml(text), 'testcase').map(asRun)
  } catch (thrown) {
    const { message } = toApplianceError(thrown)
    const finding = `${file} is no JUnit file: ${message}`
    return [{ result: { title: file, status: 'failed', finding, remarks: [], duration: 0 } }]
  }
}

function asRun(found: Element): StepRun {
  const { name = '', classname = '', time = '0' } = found.attributes
  const of = (kind: string) => found.children.find((child) => child.name === kind)
  const wrong = of('failure') ?? of('error')
  const skipped = of('skipped')
  const said = wrong?.attributes.message || wrong?.text.split('\n')[0] || wrong?.attributes.type
  const result: StepRun['result'] = {
    title: classname && !name.startsWith(classname) ? `${classname} ${name}` : name,
    status: wrong ? 'failed' : skipped ? 'skipped' : 'passed',
    finding: wrong ? (said ?? 'failed') : skipped ? (skipped.attributes.message ?? 'skipped') : 'passed',
    remarks: [],
    duration: (Number(time) || 0) * 1000,
  }
  return wrong?.text ? { result, output: wrong.text } : { result }
}
