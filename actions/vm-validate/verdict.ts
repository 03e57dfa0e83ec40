import type { Escape } from '../lib/network/network.ts'

/** What one step or one check found. */
export interface StepResult {
  /** The step's own name, or what it does, as written (`{{…}}` not filled in, so no secret can show). */
  title: string
  status: 'passed' | 'failed' | 'skipped'
  /** One line: what was expected and what was got, or why it was skipped. */
  finding: string
  /** The end of what the step printed or received; never that of a `sensitive` one. */
  output?: string
  /** What a reader of the verdict should know about how this was judged. */
  remarks: string[]
  /** Milliseconds. */
  duration: number
  /** 1-based line of the scenario's file. */
  line?: number
}

/** A scenario, or a group of built-in checks that is reported like one. */
export interface ScenarioResult {
  name: string
  kind: 'machine' | 'checks' | 'scenario' | 'suite' | 'hardware'
  /** Of a scenario: its file, relative to the spec. */
  file?: string
  status: 'passed' | 'failed' | 'skipped'
  steps: StepResult[]
  remarks: string[]
  /** Files that show what happened, relative to the stage's folder. */
  evidence: string[]
  duration: number
  /** When it began, in milliseconds since the stage did. */
  began?: number
}

/** Everything one run of vm-validate found out. */
export interface Verdict {
  passed: boolean
  subject: Subject
  results: ScenarioResult[]
  /** How the machine was made and rolled back, and where that differs from what was asked. */
  remarks: string[]
  escapes: Escape[]
}

/** What was validated. Digests are SHA-256 in lower-case hex. */
export interface Subject {
  kind: 'disk' | 'ova'
  /** File name, without folders. */
  name: string
  /** Of the disk image: what `ova-pack` compares with the disk that it is to pack. */
  diskSha256: string
  ovaSha256?: string
}

/** Passed means: everything that ran passed, and something ran. */
export function verdictOn(
  subject: Subject,
  results: ScenarioResult[],
  remarks: string[],
  escapes: Escape[],
): Verdict {
  const passed = results.length > 0 && results.every((result) => result.status !== 'failed')
  return { passed, subject, results, remarks, escapes }
}

/** The first step that failed, if one did. */
export function failedStep(result: ScenarioResult): StepResult | undefined {
  return result.steps.find((step) => step.status === 'failed')
}

/** `verdict.json`: what was found, without clock or durations, so that equal findings are equal bytes. */
export function verdictRecord(verdict: Verdict): unknown {
  return {
    schema: 1,
    verdict: verdict.passed ? 'passed' : 'failed',
    subject: verdict.subject,
    results: verdict.results.map(({ duration: _, began: __, steps, ...result }) => ({
      ...result,
      steps: steps.map(({ duration: _, output: __, ...step }) => ({
        ...step,
        finding: timeless(step.finding),
      })),
    })),
    remarks: verdict.remarks,
    escapes: verdict.escapes,
  }
}

/** Seconds are not part of what was found. */
function timeless(finding: string): string {
  return finding.replace(/\bwithin (\d+ h )?(\d+ min )?\d+(\.\d+)? s\b/g, 'in time')
}
