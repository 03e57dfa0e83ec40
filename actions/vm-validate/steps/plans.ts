import { ApplianceError } from '../../lib/errors/error.ts'
import type { Guest } from '../../lib/guest/guest.ts'
import { quote } from '../../lib/guest/quote.ts'
import type { Journal, Timer } from '../../lib/spec/scenario.ts'
import { hidden } from '../secrecy.ts'
import { facts } from './looks.ts'
import { type JournalMark, type Outcome, type Surroundings, shown, unlike } from './outcome.ts'

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

/**
 * Who says where a scenario begins: an entry that no step asks for, since systemd 252 skips one too many after a cursor's
 * entry if that is not among those asked for (--after-cursor).
 */
const MARK = 'appliance-scenario'

/** Where the guest's journal stands, or where its last boot begins. */
export async function markJournal(
  guest: Guest,
  place: 'end' | 'boot',
  signal: AbortSignal,
): Promise<JournalMark> {
  const ask =
    place === 'end'
      ? `systemd-cat -t ${MARK} -p debug echo 'a scenario begins'; journalctl --sync
last() { journalctl -q --no-pager -n 1 -o cat --show-cursor "$@" | sed -n '$s/^-- cursor: /--cursor=/p'; }
from=$(last -b -t ${MARK}); echo "\${from:-$(last)}"`
      : `journalctl -q --no-pager -b -o export | sed -n 's/^__CURSOR=/--cursor=/p;T;q'`
  const { stdout } = await guest.run(`cat /proc/sys/kernel/random/boot_id; ${ask}`, {
    signal,
    timeout: 60_000,
    allowFailure: true,
  })
  const [bootId = '', from] = stdout.split('\n')
  return { bootId, from: from || undefined }
}

/** Shell that sets `from`. A journal that is kept in memory alone forgets at a restart, and so begins anew. */
function sinceMark(mark: JournalMark | undefined): string {
  if (mark === undefined) return 'from=-b'
  const { from, bootId } = mark
  if (from === undefined) return 'from='
  const same = `[ -d /var/log/journal ] || [ "$(cat /proc/sys/kernel/random/boot_id)" = ${quote(bootId)} ]`
  return `if ${same}; then from=${quote(from)}; else from=-b; fi`
}

/** Entries of the journal that are named in a finding. */
const NAMED = 3

export async function lookAtJournal(
  step: Journal,
  { guest, journal, signal, limit }: Surroundings,
): Promise<Outcome> {
  const { unit, since = 'scenario', has, lacks, allow = [] } = step
  const priority = step.priority ?? (has === undefined && lacks === undefined ? 'err' : 'info')
  const from =
    since === 'boot'
      ? 'from=-b'
      : since === 'scenario'
        ? sinceMark(journal)
        : `from=--since=-${Math.ceil(since / 1000)}s`
  const selection = [`-p ${priority}`, ...(unit === undefined ? [] : [`-u ${quote(unit)}`])].join(' ')
  const { status, stdout, stderr } = await guest.run(
    `${from}; journalctl -q --no-pager -o short $from ${selection} | tail -c ${8 << 20}`,
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
