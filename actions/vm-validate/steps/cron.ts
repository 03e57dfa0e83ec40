import { quote } from '../../lib/guest/quote.ts'
import type { Cron } from '../../lib/spec/scenario.ts'
import { type Outcome, type Surroundings, shown } from './outcome.ts'

/** One line of a table of cron's. */
export interface CronEntry {
  schedule: string
  owner: string
  command: string
  /** The settings above it, such as PATH. */
  env: Record<string, string>
  /** Why cron takes no notice of the file that it is in. */
  ignored?: string
}

/**
 * Reads crontabs, each after a line `# in FILE OWNER MODE LINKS`. Those of the system name a user in their sixth field,
 * a user's own (`/var/spool/cron/crontabs/NAME`) do not. An unescaped `%` ends the command; what follows is its input.
 * A program in a folder such as /etc/cron.daily comes after `# runs FILE MODE` and is an entry, too.
 *
 * @param debian whether it is Debian's cron, or else cronie
 * @see crontab(5), cron(8), run-parts(8)
 */
export function parseCron(text: string, debian = true): CronEntry[] {
  let file = ''
  let ignored: string | undefined
  let env: Record<string, string> = {}
  return text.split('\n').flatMap((line) => {
    const began = /^# in (\/.*) (\S+) ([0-7]+) (\d+)$/.exec(line)
    if (began) {
      file = began[1]!
      ignored = whyIgnored(file, began[2]!, Number.parseInt(began[3]!, 8), Number(began[4]), debian)
      env = {}
      return []
    }
    const program = /^# runs (\/etc\/cron\.(\w+)\/(.*)) ([0-7]+)$/.exec(line)
    if (program) {
      const [, command, often, name, mode] = program as unknown as [string, string, string, string, string]
      const why =
        strangeName(name, debian) ?? (Number.parseInt(mode, 8) & 0o111 ? undefined : 'it cannot be executed')
      return [
        {
          schedule: `@${often}`,
          owner: 'root',
          command,
          env: {},
          ...(why ? { ignored: `${command}: ${why}` } : {}),
        },
      ]
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
    return [
      {
        schedule: entry[1]!.replace(/\s+/g, ' '),
        owner,
        command,
        env,
        ...(ignored ? { ignored: `${file}: ${ignored}` } : {}),
      },
    ]
  })
}

/** Why cron takes no notice of a table; what both crons refuse, and what only Debian's does. */
function whyIgnored(
  file: string,
  owner: string,
  mode: number,
  links: number,
  debian: boolean,
): string | undefined {
  const user = /\/spool\/cron\/(?:crontabs\/)?([^/]+)$/.exec(file)?.[1]
  if (file.startsWith('/etc/cron.d/')) {
    const strange = strangeName(file.slice('/etc/cron.d/'.length), debian)
    if (strange) return strange
  }
  if (owner !== 'root' && owner !== user) return `it belongs to ${owner}, not to ${user ?? 'root'}`
  if (mode & 0o022) return `others than its owner may write it (mode ${mode.toString(8)})`
  if (debian && user !== undefined && mode !== 0o600) return `its mode is ${mode.toString(8)}, not 600`
  if (!debian && mode & 0o111) return `it is executable (mode ${mode.toString(8)})`
  return links > 1 ? `it has ${links} hard links` : undefined
}

function strangeName(name: string, debian: boolean): string | undefined {
  if (debian) return /^[\w-]+$/.test(name) ? undefined : 'its name has more than letters, digits, - and _'
  return /^\.|~$|\.rpm(save|orig|new)$/.test(name) ? 'its name is one of a copy' : undefined
}

/** The folders' programs count where a table names the folder (`run-parts /etc/cron.daily`). */
const CRONTABS = `[ ! -e /etc/debian_version ] || echo '# debian'
for file in /etc/crontab /etc/cron.d/* /var/spool/cron/crontabs/* /var/spool/cron/*; do
  [ -f "$file" ] && { stat -L -c '# in %n %U %a %h' "$file"; cat "$file"; echo; }
done
for often in hourly daily weekly monthly; do
  grep -qs "^[^#]*cron\\.$often" /etc/crontab /etc/cron.d/* /etc/anacrontab || continue
  for file in /etc/cron.$often/*; do [ -f "$file" ] && stat -L -c '# runs %n %a' "$file"; done
done; true`

export async function lookAtCron(
  { command, owner, run }: Cron,
  { guest, signal, limit }: Surroundings,
): Promise<Outcome> {
  const { stdout } = await guest.run(CRONTABS, { signal, timeout: limit })
  const all = parseCron(stdout, stdout.startsWith('# debian\n'))
  const fitting = all.filter(
    (entry) =>
      new RegExp(command, 'mu').test(entry.command) && (owner === undefined || owner === entry.owner),
  )
  const found = fitting.find(({ ignored }) => ignored === undefined)
  if (!found) {
    if (fitting[0]) return { met: false, finding: `cron takes no notice of ${fitting[0].ignored}` }
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
