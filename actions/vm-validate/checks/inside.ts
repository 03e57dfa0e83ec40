import { quote } from '../../lib/guest/quote.ts'
import { formatSize } from '../../lib/units/size.ts'
import { eventually } from '../deadline.ts'
import { offered, portDifferences } from '../listens.ts'
import { listenersOf } from '../steps/port.ts'
import { accounts } from './accounts.ts'
import { type Check, type CheckContext, type Found, nothingWrong } from './check.ts'

async function said({ course, signal }: CheckContext, script: string): Promise<string> {
  const { stdout } = await course.test.guest.run(script, { signal, timeout: 120_000, allowFailure: true })
  return stdout.trim()
}

const lines = (text: string) => text.split('\n').filter((line) => line !== '')

/** Units that have failed, with the last they said. */
export async function failedUnits(context: CheckContext): Promise<Found> {
  const failed = lines(
    await said(context, 'systemctl list-units --state=failed --plain --no-legend --no-pager | cut -d" " -f1'),
  )
  const journals = await Promise.all(
    failed.map((unit) => said(context, `journalctl -b --no-pager -q -n 40 -u ${quote(unit)}`)),
  )
  const faults = failed.map((unit, index) => {
    const last = lines(journals[index]!)
      .filter((line) => !/systemd\[1\]/.test(line))
      .at(-1)
    return `${unit} has failed${last ? `: ${last.replace(/^.*?\]: /, '')}` : ''}`
  })
  return {
    faults,
    finding: 'none has failed',
    ...(faults.length > 0 ? { output: journals.join('\n\n') } : {}),
  }
}

/** Declared ports that are not offered, and the other way round; services may take a moment to come up. */
export async function wrongPorts(context: CheckContext, patience = 60_000): Promise<Found> {
  const { course, spec, signal } = context
  const declared = spec.validate.listens
  if (declared === undefined)
    return { ...nothingWrong(''), skipped: 'the spec declares no ports (validate.listens)' }
  const compare = async () => portDifferences(declared, offered(await listenersOf(course.test.guest, signal)))
  const { answer } = await eventually(patience, signal, compare, ({ missing }) => missing.length === 0)
  return {
    finding: `it offers ${declared.join(', ') || 'none'}`,
    faults: [
      ...answer.missing.map((name) => `nothing listens on ${name}, which is declared`),
      ...answer.extra.map((name) => `something listens on ${name}, which is not declared (validate.listens)`),
    ],
  }
}

/**
 * Files under /var/log that were written since the machine was switched on and that no rotation knows; logrotate
 * must also be there and be started.
 */
async function logRotation(context: CheckContext): Promise<Found> {
  const found = await said(
    context,
    `patterns=$(cat /etc/logrotate.conf /etc/logrotate.d/* 2>/dev/null | sed 's/#.*//' | tr ' {}"' '\\n\\n\\n\\n' | grep '^/')
rotated=$(for pattern in $patterns; do ls -1d $pattern 2>/dev/null; done)
boot=$(awk '/^btime/ { print $2 }' /proc/stat)
find /var/log -xdev -type f -size +0 ! -path '/var/log/journal/*' ! -name '[bw]tmp' ! -name lastlog ! -name faillog ! -name '*.gz' -newermt "@$boot" 2>/dev/null | while read -r file; do
  echo "$rotated" | grep -qxF "$file" || echo "grows $file"
done
[ -n "$patterns" ] && ! command -v logrotate >/dev/null && [ -n "$rotated" ] && echo "missing logrotate"
command -v logrotate >/dev/null && [ ! -e /etc/cron.daily/logrotate ] && ! systemctl is-enabled -q logrotate.timer 2>/dev/null && echo "idle logrotate"
true`,
  )
  const faults = lines(found).map((line) => {
    const [what, name] = line.split(' ') as [string, string]
    if (what === 'grows') return `${name} grows, and nothing rotates it`
    if (what === 'missing')
      return 'logs are to be rotated by logrotate, which is not installed: add it to the packages'
    return 'logrotate is installed, and neither a timer nor cron starts it'
  })
  return { faults, finding: 'all that was written since it was switched on is rotated, or in the journal' }
}

async function diskUse(context: CheckContext): Promise<Found> {
  const [used = 0, size = 0] = (await said(context, 'df -B1 --output=used,size / | tail -n 1'))
    .split(/\s+/)
    .map(Number)
  const most = context.spec.validate.budget.disk ?? Math.floor(size * 0.9)
  const what = `${formatSize(used)} of ${formatSize(size)} are used`
  return { faults: used <= most ? [] : [`${what}, the budget is ${formatSize(most)}`], finding: what }
}

async function memoryUse(context: CheckContext): Promise<Found> {
  const [total = 0, available = 0] = lines(
    await said(context, `awk '/^MemTotal|^MemAvailable/ { print $2 * 1024 }' /proc/meminfo`),
  ).map(Number)
  const used = total - available
  const most = context.spec.validate.budget.memory ?? Math.floor(total * 0.9)
  const what = `${formatSize(used)} of ${formatSize(total)} are used`
  return { faults: used <= most ? [] : [`${what}, the budget is ${formatSize(most)}`], finding: what }
}

/** Checks that only look. */
export const lookingChecks: readonly Check[] = [
  { name: 'failed-units', limit: 120_000, look: failedUnits },
  { name: 'ports', limit: 120_000, look: (context) => wrongPorts(context) },
  { name: 'accounts', limit: 120_000, look: accounts },
  { name: 'log-rotation', limit: 120_000, look: logRotation },
  { name: 'disk-use', limit: 60_000, look: diskUse },
  { name: 'memory-use', limit: 60_000, look: memoryUse },
]
