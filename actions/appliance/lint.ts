import { stat } from 'node:fs/promises'
import { basename, relative, resolve } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { refuse } from '../lib/errors/fault.ts'
import { unknownWords } from '../lib/errors/unknown-words.ts'
import { writeAtomically } from '../lib/files/atomic.ts'
import { choice, type InputValues, names, path } from '../lib/stage/input.ts'
import { ignoredRuleFaults } from '../ova-pack/lint/ignored.ts'
import { lintOva, rules } from '../ova-pack/lint/lint.ts'
import { atLeast, findingLines, sarif, summaryOf } from '../ova-pack/lint/present.ts'
import type { Concerned } from '../ova-pack/lint/rule.ts'
import type { Door } from './inside.ts'

export const lintInputs = {
  ova: path('The OVA; also without a flag: appliance lint FILE.ova'),
  for: names('Judge for these alone: vmware virtualbox virt-v2v proxmox ovf (default: all)'),
  ignore: names('Ids of rules that do not count'),
  'fail-on': choice('Fail from this severity on', ['error', 'warning', 'note']),
  sarif: path('Also write the findings as SARIF, for code scanning'),
}

const hypervisors: readonly Concerned[] = ['vmware', 'virtualbox', 'virt-v2v', 'proxmox', 'ovf']

/** `appliance lint FILE.ova`: what each hypervisor would refuse or warn about. Needs no spec. */
export async function lint(values: Record<string, unknown>, { log, signal, entry }: Door): Promise<void> {
  const given = values as InputValues<typeof lintInputs>
  const judged = given.for === 'all' ? undefined : given.for
  const ignore = given.ignore === 'all' ? Object.keys(rules) : (given.ignore ?? [])
  refuse([
    ...(given.ova === undefined ? [{ message: 'lint needs an OVA: appliance lint FILE.ova' }] : []),
    ...unknownWords('--for', judged ?? [], hypervisors),
    ...ignoredRuleFaults('--ignore', ignore),
  ])
  const ova = resolve(given.ova!)
  const status = await stat(ova).catch(() => undefined)
  if (!status?.isFile()) refuse([{ message: `${given.ova}: there is no such file` }])
  const result = await lintOva(ova, {
    ...(judged && { for: judged as Concerned[] }),
    ignore,
    now: Date.now() / 1000,
    signal,
  })
  if (given.sarif) await writeAtomically(resolve(given.sarif), sarif(result, relative('.', ova)))
  const json = entry.includes('--json')
  for (const finding of result.findings)
    if (json) console.log(JSON.stringify({ level: 'finding', ...finding }))
    else for (const line of findingLines(finding)) console.log(line)
  if (given.for === undefined && result.judgedFor.length > 0)
    log.info(`made for ${result.judgedFor.join(', ')}: judged for that alone (--for says otherwise)`)
  const said = `${basename(ova)}: ${summaryOf(result)}`
  if (result.findings.some(atLeast(given['fail-on']))) throw new ApplianceError('check-failed', said)
  log.info(said)
}
