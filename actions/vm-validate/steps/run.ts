import type { Run } from '../../lib/spec/scenario.ts'
import type { StepSettings } from '../../lib/spec/step.ts'
import { hidden } from '../secrecy.ts'
import { mismatch, type Outcome, type Surroundings, unlike } from './outcome.ts'
import { answerPrompts } from './terminal.ts'

/** Runs a command line in the guest and looks at its exit status, then at what it printed. */
export async function runCommand(step: Run & StepSettings, around: Surroundings): Promise<Outcome> {
  if (step.answers) return await answerPrompts(step, step.answers, around)
  const { command, status = 0, stdout, stderr, stdin, as, env, sensitive } = step
  const { guest, limit, signal } = around
  const result = await guest.run(command, {
    allowFailure: true,
    signal,
    timeout: limit,
    ...(stdin === undefined ? {} : { input: stdin }),
    ...(as === undefined ? {} : { as }),
    ...(env === undefined ? {} : { env }),
    ...(sensitive ? { title: 'a sensitive command' } : {}),
  })
  // An exit status is never a secret, and without it nobody can tell what happened.
  const different =
    (result.status === status
      ? undefined
      : unlike('exit status', String(status), `${result.status}${lastWords(result, sensitive)}`)) ??
    mismatch('stdout', stdout, result.stdout, sensitive) ??
    mismatch('stderr', stderr, result.stderr, sensitive)
  return {
    met: different === undefined,
    finding: different ?? `exit status ${result.status}`,
    output: [result.stdout, result.stderr].filter((text) => text !== '').join('\n'),
    value: result.stdout.replace(/\r?\n$/, ''),
  }
}

function lastWords({ stdout, stderr }: { stdout: string; stderr: string }, sensitive = false): string {
  const line = (stderr.trim() || stdout.trim()).split('\n').at(-1) ?? ''
  return sensitive || line === '' ? '' : `: ${hidden(line).slice(0, 200)}`
}
