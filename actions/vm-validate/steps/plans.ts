import { ApplianceError } from '../../lib/errors/error.ts'
import { quote } from '../../lib/guest/quote.ts'
import type { Cron, Journal, Timer } from '../../lib/spec/scenario.ts'
import { hidden } from '../secrecy.ts'
import { facts } from './looks.ts'
import { type Outcome, type Surroundings, shown, unlike } from './outcome.ts'

/** One line of a table of cron's. */
export interface CronEntry {
  schedule: string
  owner: string
  command: string
  /** The settings above it, such as PATH. */
  env: Record<string, string>
}

/**
 * Reads crontabs, each after a line `# in FILE`. Those of the system name a user in their sixth field, a user's own
 * (`/var/spool/cron/crontabs/NAME`) do not. An unescaped `%` ends the command; what follows is its input.
 *
 * @see crontab(5)
 */
export function parseCron(text: string): CronEntry[] {
  let file = ''
  let env: Record<string, string> = {}
  return text.split('\n').flatMap((line) => {
    const began = /^# in (\/.*)$/.exec(line)?.[1]
    if (began !== undefined) {
      file = began
      env = {}
      return []
    }
    const setting = /^\s*([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line)
    if (setting) {
      env = { ...env, [setting[1]!]: setting[2]!.replace(/^(["'])(.*)\1$/, '$2') }
      return []
    }
    const entry = /^\s*(@\w+|(?:[\d*,/a-zA-Z-]+\s+){4}[\d*,/a-zA-Z-]+)\s+(.*)$/.exec(line)
    if (!entry || line.trimStart().startsWith('#')) return []
    const own = /\/spool\/cron\/(?:crontabs\/)?([^/]+)$/.exec(file)?.[1]
    const [, owner, rest] = own ? [undefined, own, entry[2]!] : (/^(\S+)\s+(.*)$/.exec(entry[2]!) ?? [])
    if (owner === undefined || rest === undefined) return []
    const command = rest.replace(/(?<!\\)%[\s\S]*$/, '').replaceAll('\\%', '%')
    return [{ schedule: entry[1]!.replace(/\s+/g, ' '), owner, command, env }]
  })
}

const CRONTABS = `for file in /etc/crontab /etc/cron.d/* /var/spool/cron/crontabs/* /var/spool/cron/*; do
  [ -f "$file" ] && { echo "# in $file"; cat "$file"; echo; }
done; true`

export async function lookAtCron(
  { command, owner, run }: Cron,
  { guest, signal, limit }: Surroundings,
): Promise<Outcome> {
  const { stdout } = await guest.run(CRONTABS, { signal, timeout: limit })
  const all = parseCron(stdout)
  const found = all.find(
    (entry) =>
      new RegExp(command, 'mu').test(entry.command) && (owner === undefined || owner === entry.owner),
  )
  if (!found) {
    const known = all.map(({ owner, command }) => `${owner}: ${command}`).join('; ')
    return { met: false, finding: `cron has no entry like /${command}/; it has ${shown(known || undefined)}` }
  }
  const what = `${found.schedule} ${found.owner}: ${found.command}`
  if (!run) return { met: true, finding: what, value: found.schedule }
  const {
    status,
    stdout: out,
    stderr,
  } = await guest.run(`cd ~ || cd /; exec env -i ${asCron(found)}`, {
    as: found.owner,
    signal,
    timeout: limit,
    allowFailure: true,
  })
  const said = [out, stderr].filter(Boolean).join('\n')
  return {
    met: status === 0,
    finding:
      status === 0
        ? `ran ${what}`
        : `${what}: exit status ${status}: ${said.trim().split('\n').at(-1) ?? ''}`,
    output: said,
    value: out.trimEnd(),
  }
}

/** The environment that cron gives, and no other. @see crontab(5) */
function asCron({ owner, command, env }: CronEntry): string {
  const given = { HOME: '', LOGNAME: owner, SHELL: '/bin/sh', PATH: '/usr/bin:/bin', ...env }
  const words = Object.entries(given).map(([name, value]) =>
    name === 'HOME' && value === '' ? 'HOME="$HOME"' : `${name}=${quote(value)}`,
  )
  return `${words.join(' ')} ${quote(given.SHELL)} -c ${quote(command)}`
}

export async function lookAtTimer({ timer, run }: Timer, around: Surroundings): Promise<Outcome> {
  const name = timer.endsWith('.timer') ? timer : `${timer}.timer`
  const found = await facts(
    around.guest,
    `systemctl show ${quote(name)} -p LoadState -p ActiveState -p Unit -p NextElapseUSecRealtime -p NextElapseUSecMonotonic`,
    around,
  )
  if (found.get('LoadState') === 'not-found') return { met: false, finding: `there is no timer ${name}` }
  if (found.get('ActiveState') !== 'active')
    return { met: false, finding: unlike(name, 'to be active', found.get('ActiveState') ?? 'nothing') }
  const next = found.get('NextElapseUSecRealtime') || found.get('NextElapseUSecMonotonic') || 'never'
  if (!run) return { met: true, finding: `${name} is set; next: ${next}` }
  const unit = found.get('Unit') ?? name.replace(/\.timer$/, '.service')
  const { guest, signal, limit } = around
  const { status, stderr } = await guest.run(`systemctl start --wait ${quote(unit)}`, {
    signal,
    timeout: limit,
    allowFailure: true,
  })
  return {
    met: status === 0,
    finding: status === 0 ? `ran ${unit}` : `${unit} failed: ${stderr.trim().split('\n').at(-1) ?? status}`,
    output: stderr,
  }
}

/** Entries of the journal that are named in a finding. */
const NAMED = 3

export async function lookAtJournal(
  step: Journal,
  { guest, began, signal, limit }: Surroundings,
): Promise<Outcome> {
  const { unit, since = 'scenario', has, lacks, allow = [] } = step
  const priority = step.priority ?? (has === undefined && lacks === undefined ? 'err' : 'info')
  const from =
    since === 'boot'
      ? '-b'
      : since === 'scenario'
        ? `--since=@${Math.floor(began)}`
        : `--since=-${Math.ceil(since / 1000)}s`
  const selection = [from, `-p ${priority}`, ...(unit === undefined ? [] : [`-u ${quote(unit)}`])].join(' ')
  const { status, stdout, stderr } = await guest.run(
    `journalctl -q --no-pager -o short ${selection} | tail -c ${8 << 20}`,
    { signal, timeout: limit, allowFailure: true },
  )
  if (status !== 0 || /journalctl: not found/.test(stderr))
    throw new ApplianceError('guest-failed', `the journal cannot be read: ${stderr.trim() || status}`)
  const allowed = allow.map((pattern) => new RegExp(pattern, 'mu'))
  const entries = stdout.split('\n').filter((line) => line !== '' && !allowed.some((one) => one.test(line)))
  const counted = (pattern: string) => entries.filter((line) => new RegExp(pattern, 'mu').test(line))
  const output = entries.join('\n')
  if (has !== undefined) {
    const found = counted(has)
    return found.length > 0
      ? { met: true, finding: `the journal has ${shown(found.at(-1))}`, output, value: found.at(-1)! }
      : { met: false, finding: `no entry of the journal matches /${has}/`, output }
  }
  const wrong = lacks === undefined ? entries : counted(lacks)
  if (wrong.length === 0)
    return {
      met: true,
      finding: lacks === undefined ? 'no such entries' : `no entry matches /${lacks}/`,
      output,
    }
  const more = wrong.length > NAMED ? ` … (${wrong.length} in all)` : ''
  return {
    met: false,
    finding: `the journal has ${hidden(wrong.slice(0, NAMED).join(' | ')).slice(0, 400)}${more}`,
    output: wrong.join('\n'),
  }
}
